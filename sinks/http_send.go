package sinks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/cloudevents"
)

// httpSink sends each event as one request.
type httpSink struct {
	*lease[*httpClient]
	method string
	url    *url.URL
	fixed  http.Header // over the event's own
	keys   [][]byte    // of the signatures; none: unsigned
	format keg.Format
	hidden []string // what an error must not show, should a receiver send it back
}

func openHTTP(p *Pool, d *keg.Destination) (keg.Sink, error) {
	settings := d.Settings.(*HTTP)
	u, err := parseHTTPAddress(settings.Address)
	if err != nil {
		return nil, &keg.FieldError{Path: "address", Problem: err.Error()}
	}
	s := &httpSink{method: settings.Method, url: u, format: d.Format}
	if s.method == "" {
		s.method = http.MethodPost
	}
	if s.fixed, err = fixedHeaders(d.Headers, settings); err != nil {
		return nil, err
	}
	if settings.Signing != nil {
		if s.keys, err = settings.Signing.keys(); err != nil {
			return nil, &keg.FieldError{Path: "signing.secret", Problem: err.Error()}
		}
	}
	secured, err := settings.TLS.Read("tls")
	if err != nil {
		return nil, err
	}
	s.hidden = configuredSecrets(u, s.fixed, settings.Auth)
	key := httpKey{origin(u.Scheme, u.Hostname(), u.Port()), secured, settings.AllowPrivate}
	s.lease, err = hold(p, key, dialHTTP(key))
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Send makes one request. The receiver has the event when it answers 2xx.
//
// Where there was no connection to send it over, that is an outage: nobody
// listens, there is no such host, the TLS handshake failed, all connections
// were taken until ctx ended. Once there was one, whatever keeps an answer from
// coming is transient, since the receiver may have the event. Only an address
// that may not be connected to is permanent.
func (s *httpSink) Send(ctx context.Context, e *keg.Event) error {
	headers, body, err := cloudevents.ToHTTP(e, s.format)
	if err != nil {
		return keg.Permanent(err)
	}
	if _, ok := headers["User-Agent"]; !ok {
		headers["User-Agent"] = []string{"KEG"}
	}
	for name, values := range s.fixed {
		headers[name] = values
	}
	if len(s.keys) > 0 {
		sign(headers, s.keys, e.ID, time.Now(), body)
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	var connected atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { connected.Store(false) }, // again after one that had died while idle
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	resp, err := client.transport.RoundTrip(s.request(traced, headers, body))
	if err != nil {
		if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
			err = fmt.Errorf("%w: %w", ended, err)
		}
		if !connected.Load() {
			return outage(fmt.Errorf("no connection: %w", err))
		}
		return fmt.Errorf("no answer: %w", err)
	}
	return judgeAnswer(resp, time.Now(), func() []string { return s.secrets(headers) })
}

// request is written out, and not made by [http.NewRequest], which would parse
// the URL for each event.
func (s *httpSink) request(ctx context.Context, headers http.Header, body []byte) *http.Request {
	if _, ok := headers["Idempotency-Key"]; !ok {
		// An empty value is not sent. It tells net/http that a request may be
		// written again when the server closed an idle connection just as it was
		// taken: no attempt that anybody saw, and the event's id is the same.
		headers["Idempotency-Key"] = nil
	}
	r := &http.Request{
		Method:        s.method,
		URL:           s.url,
		Host:          strings.TrimSuffix(s.url.Host, ":"),
		Header:        headers,
		ContentLength: int64(len(body)),
		GetBody:       func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
	}
	if len(body) == 0 {
		r.Body, r.GetBody = http.NoBody, nil
	} else {
		r.Body, _ = r.GetBody()
	}
	return r.WithContext(ctx)
}

// secrets are the strings of a request that an error must not show: those of
// the configuration, and credentials that came with the event.
func (s *httpSink) secrets(sent http.Header) []string {
	all := slices.Clone(s.hidden)
	for _, name := range []string{"Authorization", "Proxy-Authorization", "Cookie"} {
		for _, value := range sent[name] {
			all = append(all, parts(value)...)
		}
	}
	return all
}

// configuredSecrets are every configured header's value, the password, and the
// query, where tokens live.
func configuredSecrets(u *url.URL, fixed http.Header, auth *HTTPAuth) []string {
	all := []string{u.RawQuery}
	if auth != nil {
		all = append(all, auth.Password.Reveal())
	}
	for _, values := range u.Query() {
		all = append(all, values...)
	}
	for _, values := range fixed {
		for _, value := range values {
			all = append(all, parts(value)...)
		}
	}
	return all
}

// parts is a header's value, and its credentials without their scheme.
func parts(value string) []string {
	if _, credentials, found := strings.Cut(value, " "); found {
		return []string{value, credentials}
	}
	return []string{value}
}
