package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// upstreamConfig is one service at a URL with a route of each kind.
func upstreamConfig(url string) []byte {
	return []byte(`
_format_version: "3.0"
services:
- name: up
  url: ` + url + `
  read_timeout: 500
  connect_timeout: 500
  retries: 2
  routes:
  - {name: up, paths: [/up]}
  - {name: keep, paths: [/keep], strip_path: false, preserve_host: true}
  - {name: secure, paths: [/secure], protocols: [https]}
`)
}

// seen is an upstream that keeps the last request, and its URL.
func seen(t *testing.T, header http.Header) (string, *atomic.Pointer[http.Request]) {
	t.Helper()
	var last atomic.Pointer[http.Request]
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last.Store(r.Clone(t.Context()))
		for name, values := range header {
			w.Header()[name] = values
		}
		_, _ = io.Copy(w, r.Body)
	}))
	t.Cleanup(s.Close)
	return s.URL, &last
}

func reply(t *testing.T, addr, request string) *http.Response {
	t.Helper()
	conn := raw(t, addr, request)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func TestUpstreamIsToldWhereARequestComesFrom(t *testing.T) {
	url, last := seen(t, nil)
	g := start(t, Options{Config: upstreamConfig(url)})
	port := portText(g.proxy)
	for _, c := range []struct {
		name, request string
		uri, host     string
		want          http.Header
	}{
		{"path stripped", "GET /up/a/../b?x=1 HTTP/1.1\r\nHost: shop.example\r\n\r\n", "/b?x=1", strings.TrimPrefix(url, "http://"), http.Header{
			"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {"shop.example"}, "X-Forwarded-Path": {"/up/a/../b"},
			"X-Forwarded-Port": {port}, "X-Forwarded-Prefix": {"/up"}, "X-Forwarded-Proto": {"http"}, "X-Real-Ip": {"127.0.0.1"},
			"Via": {"1.1 kong/3.9.1"}, "Connection": {"keep-alive"},
		}},
		{"path and host kept", "GET /keep/%20x HTTP/1.1\r\nHost: shop.example:81\r\n\r\n", "/keep/%20x", "shop.example:81", http.Header{
			"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {"shop.example"}, "X-Forwarded-Path": {"/keep/%20x"},
			"X-Forwarded-Port": {port}, "X-Forwarded-Proto": {"http"}, "X-Real-Ip": {"127.0.0.1"},
			"Via": {"1.1 kong/3.9.1"}, "Connection": {"keep-alive"},
		}},
		{"what a client says of itself is not believed", "GET /keep HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n" +
			"X-Forwarded-Prefix: /evil\r\nX-Real-IP: 6.6.6.6\r\nX-Kong-Request-Id: mine\r\nConnection: x-secret\r\nX-Secret: 1\r\nKeep-Alive: 5\r\nVia: 1.0 cache\r\n\r\n", "/keep", "h", http.Header{
			"X-Forwarded-For": {"1.2.3.4, 127.0.0.1"}, "X-Forwarded-Host": {"h"}, "X-Forwarded-Path": {"/keep"},
			"X-Forwarded-Port": {port}, "X-Forwarded-Proto": {"http"}, "X-Real-Ip": {"127.0.0.1"},
			"Via": {"1.0 cache, 1.1 kong/3.9.1"}, "Connection": {"keep-alive"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			response := reply(t, g.proxy, c.request)
			r := last.Load()
			if id := r.Header.Get("X-Kong-Request-Id"); id != response.Header.Get("X-Kong-Request-Id") || len(id) != 32 {
				t.Errorf("the request's id is %q there and %q here", id, response.Header.Get("X-Kong-Request-Id"))
			}
			r.Header.Del("X-Kong-Request-Id")
			if diff := cmp.Diff(c.want, r.Header); diff != "" {
				t.Errorf("want -, sent +:\n%s", diff)
			}
			if r.RequestURI != c.uri || r.Host != c.host {
				t.Errorf("asked %s for %s", r.Host, r.RequestURI)
			}
		})
	}
}

func TestAnswersOfTheUpstream(t *testing.T) {
	url, _ := seen(t, http.Header{"Server": {"theirs"}, "Via": {"1.1 cache"}, "X-Twice": {"a", "b"}, "Keep-Alive": {"timeout=5"}})
	g := start(t, Options{Config: upstreamConfig(url)})
	response := reply(t, g.proxy, "POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody")
	for name, want := range map[string][]string{"Server": {"theirs"}, "Via": {"1.1 cache, 1.1 kong/3.9.1"}, "X-Twice": {"a", "b"}, "Keep-Alive": nil, "X-Kong-Response-Latency": nil} {
		if diff := cmp.Diff(want, response.Header.Values(name)); diff != "" {
			t.Errorf("%s: want -, seen +:\n%s", name, diff)
		}
	}
	for _, name := range []string{"X-Kong-Upstream-Latency", "X-Kong-Proxy-Latency", "X-Kong-Request-Id"} {
		if response.Header.Get(name) == "" {
			t.Errorf("no %s", name)
		}
	}
	if body, _ := io.ReadAll(response.Body); string(body) != "body" {
		t.Errorf("the body is %q", body)
	}
}

func TestKongsOwnErrors(t *testing.T) {
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(slow.Close)
	down := httptest.NewServer(nil)
	down.Close()
	empty := []byte("_format_version: '3.0'\nroutes: [{name: empty, paths: [/up]}]\n")
	for _, c := range []struct {
		name     string
		config   []byte
		request  string
		status   int
		ctype    string
		contains string
	}{
		{"no route", upstreamConfig(down.URL), "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n", 404, "application/json; charset=utf-8", `"message":"no Route matched with those values"`},
		{"no service", empty, "GET /up HTTP/1.1\r\nHost: h\r\n\r\n", 503, "application/json; charset=utf-8", `no Service found with those values`},
		{"upstream down", upstreamConfig(down.URL), "GET /up HTTP/1.1\r\nHost: h\r\n\r\n", 502, "application/json; charset=utf-8", `An invalid response was received from the upstream server`},
		{"upstream slow", upstreamConfig(slow.URL), "GET /up HTTP/1.1\r\nHost: h\r\n\r\n", 504, "application/json; charset=utf-8", `The upstream server is timing out`},
		{"upstream unknown", upstreamConfig("http://nowhere.invalid"), "GET /up HTTP/1.1\r\nHost: h\r\n\r\n", 503, "application/json; charset=utf-8", ``},
		{"https only", upstreamConfig(down.URL), "GET /secure HTTP/1.1\r\nHost: h\r\n\r\n", 426, "application/json; charset=utf-8", `Please use HTTPS protocol`},
		{"as text", upstreamConfig(down.URL), "GET /nowhere HTTP/1.1\r\nHost: h\r\nAccept: text/plain\r\n\r\n", 404, "text/plain; charset=utf-8", "no Route matched with those values\nrequest_id: "},
		{"as HTML", upstreamConfig(down.URL), "GET /nowhere HTTP/1.1\r\nHost: h\r\nAccept: text/html,application/json;q=0.5\r\n\r\n", 404, "text/html; charset=utf-8", "<p>no Route matched with those values.</p>"},
		{"as XML", upstreamConfig(down.URL), "GET /nowhere HTTP/1.1\r\nHost: h\r\nAccept: application/xml\r\n\r\n", 404, "application/xml; charset=utf-8", "<message>no Route matched with those values</message>"},
		{"too large, said at once", upstreamConfig(down.URL), "POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 20001\r\n\r\n", 413, "application/json; charset=utf-8", "Payload too large"},
		{"too large, in pieces", upstreamConfig(down.URL), "POST /up HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4e21\r\n" + strings.Repeat("x", 0x4e21) + "\r\n0\r\n\r\n", 413, "application/json; charset=utf-8", "Payload too large"},
		{"a body that does not come", upstreamConfig(down.URL), "POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab", 408, "application/json; charset=utf-8", "Request timeout"},
		{"a body that is broken", upstreamConfig(down.URL), "POST /up HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "application/json; charset=utf-8", "Bad request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := start(t, Options{Config: c.config, ClientMaxBodySize: 20000, ClientTimeout: 300 * time.Millisecond})
			response := reply(t, g.proxy, c.request)
			body, _ := io.ReadAll(response.Body)
			if response.StatusCode != c.status || response.Header.Get("Content-Type") != c.ctype || !strings.Contains(string(body), c.contains) {
				t.Errorf("%s, %s\n%s", response.Status, response.Header.Get("Content-Type"), body)
			}
			if id := response.Header.Get("X-Kong-Request-Id"); !strings.Contains(string(body), id) {
				t.Errorf("the body does not name the request %s", id)
			}
		})
	}
}

func TestRequestTermination(t *testing.T) {
	const route = "_format_version: '3.0'\nroutes: [{name: r, paths: [/r], plugins: [{name: request-termination, config: {%s}}]}]\n"
	for _, c := range []struct {
		name, config, header string
		status               int
		ctype, body          string
	}{
		{"by default", "", "", 503, "application/json; charset=utf-8", `{"message":"Service unavailable"}`},
		{"a message", "status_code: 403, message: go away", "", 403, "application/json; charset=utf-8", `{"message":"go away"}`},
		{"a body", "status_code: 202, body: '<a/>', content_type: text/xml", "", 202, "text/xml", `<a/>`},
		{"a body without a type", "status_code: 200, body: '{}'", "", 200, "application/json; charset=utf-8", `{}`},
		{"a status without words", "status_code: 204", "", 204, "", ``},
		{"a trigger that is there", "trigger: x-stop", "X-Stop: 1\r\n", 503, "application/json; charset=utf-8", `{"message":"Service unavailable"}`},
		{"a trigger that is not", "trigger: x-stop", "", 503, "application/json; charset=utf-8", "no Service found with those values"},
		{"echo", "status_code: 200, echo: true, message: m", "", 200, "application/json; charset=utf-8", `"path":"/r/x"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := start(t, Options{Config: fmt.Appendf(nil, route, c.config)})
			response := reply(t, g.proxy, "GET /r/x HTTP/1.1\r\nHost: h\r\n"+c.header+"\r\n")
			body, _ := io.ReadAll(response.Body)
			if response.StatusCode != c.status || response.Header.Get("Content-Type") != c.ctype || !strings.Contains(string(body), c.body) {
				t.Errorf("%s, %s\n%s", response.Status, response.Header.Get("Content-Type"), body)
			}
		})
	}
}
