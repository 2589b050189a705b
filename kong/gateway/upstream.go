package gateway

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/kong/keg/kong/gateway/declarative"
)

// maxBuffered is the largest answer of an upstream that is read whole for a
// plugin's response phase.
const maxBuffered = 128 << 20

// target is where a request is sent on to; plugins may change it.
type target struct {
	scheme, host string
	port         int
	path, query  string
	hostHeader   string
	tried        bool // a connection was tried, so that the answer is the upstream's or its failure
	status       int  // the upstream's, 0 without an answer
	headers      fields
}

// aim sets the target from the route and its service.
func (e *exchange) aim() {
	t := &e.upstream
	r := e.match.route
	t.query = e.request.query
	s := r.Service
	if s == nil {
		t.scheme = "http"
		t.path = upstreamPath("", e.request.path, e.match.prefix, r.StripPath)
		return
	}
	t.scheme, t.host, t.port = s.Protocol, s.Host, s.Port
	t.path = upstreamPath(s.Path, e.request.path, e.match.prefix, r.StripPath)
	if r.PreserveHost {
		t.hostHeader = e.request.headers.get("host")
	}
}

// proxy sends the request to the upstream and makes its answer, or an error.
func (e *exchange) proxy() {
	if err := e.body.load(); err != nil {
		e.fail(err.status)
		return
	}
	e.upstream.tried = true
	began := time.Now()
	response, err := e.roundTrip()
	e.latency.upstream = time.Since(began).Milliseconds()
	if err != nil {
		e.g.log.Error("the upstream did not answer", "upstream", net.JoinHostPort(e.upstream.host, strconv.Itoa(e.upstream.port)), "error", err, "request_id", e.id)
		e.fail(upstreamStatus(err))
		return
	}
	e.upstream.status = response.StatusCode
	e.source = "service"
	e.answer.status = response.StatusCode
	e.upstream.headers = upstreamFields(response.Header)
	// What a plugin has set already stands before what the upstream says.
	plugins := e.answer.headers
	e.answer.headers = append(fields{}, e.upstream.headers...)
	for i, h := range plugins {
		if !plugins[:i].has(h.name) {
			e.answer.headers.set(h.name, plugins.values(h.name)...)
		}
	}
	e.answer.stream, e.answer.length = response.Body, response.ContentLength
	if e.buffers() {
		e.buffer(response)
	}
}

func (e *exchange) buffer(response *http.Response) {
	received := time.Now()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBuffered+1))
	response.Body.Close()
	e.latency.receive = time.Since(received).Milliseconds()
	e.answer.stream = nil
	if err != nil || len(body) > maxBuffered {
		e.g.log.Error("the upstream's answer could not be buffered", "error", err, "bytes", len(body), "request_id", e.id)
		e.fail(http.StatusBadGateway)
		return
	}
	e.answer.body, e.answer.length = body, int64(len(body))
}

// roundTrip tries the upstream, again where it could not even be connected to,
// as often as the service's retries say.
func (e *exchange) roundTrip() (*http.Response, error) {
	var service *declarative.Service
	retries := 5
	if service = e.match.route.Service; service != nil {
		retries = service.Retries
	}
	transport := e.g.upstreams.client(service)
	for try := 0; ; try++ {
		began := time.Now()
		response, err := transport.RoundTrip(e.upstreamRequest())
		tried := map[string]any{
			"ip": e.upstream.host, "port": e.upstream.port, "balancer_latency": 0,
			"balancer_start": began.UnixMilli(), "balancer_start_ns": float64(began.UnixNano()), "balancer_latency_ns": 0,
		}
		if err != nil {
			tried["state"], tried["code"] = "failed", upstreamStatus(err)
		}
		e.tries = append(e.tries, tried)
		var dial *net.OpError
		if err == nil || try >= retries || !errors.As(err, &dial) || dial.Op != "dial" {
			return response, err
		}
	}
}

func (e *exchange) upstreamRequest() *http.Request {
	t := &e.upstream
	host := t.host
	if t.port != 80 && t.scheme == "http" || t.port != 443 && t.scheme == "https" {
		host = net.JoinHostPort(t.host, strconv.Itoa(t.port))
	}
	request := (&http.Request{
		Method: e.request.method,
		URL:    &url.URL{Scheme: t.scheme, Host: net.JoinHostPort(t.host, strconv.Itoa(t.port)), RawQuery: t.query},
		Host:   host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, ContentLength: e.body.length,
	}).WithContext(e.g.hard) // not the client's: Kong goes on when it goes away
	request.URL.Path, request.URL.RawPath = unescaped(t.path), t.path
	if t.hostHeader != "" {
		request.Host = t.hostHeader
	}
	if e.body.length > 0 {
		request.Body = e.body.reader()
		request.GetBody = func() (io.ReadCloser, error) { return e.body.reader(), nil }
	}
	headers := append(fields{}, e.request.headers...)
	e.addKongHeaders(&headers)
	for _, h := range headers {
		request.Header[canonical(h.name)] = append(request.Header[canonical(h.name)], h.value)
	}
	return request
}

// addKongHeaders makes the header fields that an upstream gets from Kong. No
// client is trusted: what it says of its origin is replaced, but for
// X-Forwarded-For, which is added to.
func (e *exchange) addKongHeaders(h *fields) {
	ip, _, _ := net.SplitHostPort(e.client.String())
	_, port, _ := net.SplitHostPort(e.local.String())
	dropHopByHop(h)
	h.del("Host")
	h.del("Content-Length")
	h.set("Connection", "keep-alive")
	forwarded := append(h.values("X-Forwarded-For"), ip)
	h.set("X-Forwarded-For", strings.Join(forwarded, ", "))
	h.set("X-Forwarded-Proto", "http")
	name, _ := splitHost(e.request.headers.get("host"))
	h.set("X-Forwarded-Host", name)
	h.set("X-Forwarded-Port", port)
	h.set("X-Forwarded-Path", e.request.rawPath)
	h.del("X-Forwarded-Prefix")
	if e.match.route.StripPath && e.match.prefix != "" {
		h.set("X-Forwarded-Prefix", e.match.prefix)
	}
	h.set("X-Real-IP", ip)
	h.set("X-Kong-Request-Id", e.id)
	h.set("Via", strings.Join(append(h.values("Via"), "1.1 "+token), ", "))
	if !h.has("User-Agent") {
		h.set("User-Agent", "") // else net/http says its own
	}
}

func upstreamFields(header http.Header) fields {
	var f fields
	for name, values := range header {
		for _, v := range values {
			f.add(name, v)
		}
	}
	dropHopByHop(&f)
	return f
}

// upstreamStatus is what a failure of the upstream costs.
func upstreamStatus(err error) int {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, os.ErrDeadlineExceeded) {
		return http.StatusGatewayTimeout
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return http.StatusServiceUnavailable
	}
	return http.StatusBadGateway
}

func unescaped(path string) string {
	plain, err := url.PathUnescape(path)
	if err != nil {
		return path
	}
	return plain
}
