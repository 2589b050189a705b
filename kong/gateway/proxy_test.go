package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
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

func TestSlowClientsAreCutOff(t *testing.T) {
	g := start(t, Options{Config: []byte(serviceless2), ClientTimeout: 100 * time.Millisecond})
	conn := raw(t, g.proxy, "GET / HTTP/1.1\r\nHost: h\r\nX-")
	if text, err := io.ReadAll(conn); err != nil || len(text) > 0 && !strings.HasPrefix(string(text), "HTTP/1.1 4") {
		t.Errorf("%q, %v", text, err)
	}
	long := reply(t, g.proxy, "GET / HTTP/1.1\r\nHost: h\r\nX-Long: "+strings.Repeat("x", 3*maxHead)+"\r\n\r\n")
	if long.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a long head: %s", long.Status)
	}
}

const serviceless2 = "_format_version: '3.0'\nplugins: [{name: request-termination}]\nroutes: [{name: r, paths: [/]}]\n"

func TestReloadUnderLoadLosesNothing(t *testing.T) {
	url, _ := seen(t, nil)
	g := start(t, Options{Config: upstreamConfig(url)})
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var sent atomic.Int64
	for range 4 {
		clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for {
				select {
				case <-stop:
					return
				default:
				}
				response, err := client.Post("http://"+g.proxy+"/up", "text/plain", strings.NewReader("x"))
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(response.Body)
				response.Body.Close()
				if response.StatusCode != http.StatusOK || string(body) != "x" {
					t.Errorf("%s %s", response.Status, body)
				}
				sent.Add(1)
			}
		})
	}
	for range 30 {
		if status, body := g.ask(t, "POST", "/config", "text/yaml", string(upstreamConfig(url))); status != http.StatusCreated {
			t.Fatalf("%d %s", status, body)
		}
	}
	close(stop)
	clients.Wait()
	if sent.Load() == 0 {
		t.Error("nothing was sent")
	}
}

func TestStopLetsRequestsEnd(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, "done")
	}))
	defer slow.Close()
	g, ctx, stop, ended := runnable(t, Options{Config: []byte("_format_version: '3.0'\nservices: [{name: s, url: '" + slow.URL + "', routes: [{paths: [/]}]}]")})
	defer stop()
	answer := make(chan string, 1)
	go func() {
		response, err := http.Get("http://" + g.ProxyAddrs()[0].String() + "/")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		answer <- string(body)
	}()
	<-arrived
	stop()
	<-ctx.Done()
	close(release)
	if got := <-answer; got != "done" {
		t.Errorf("the request under way got %q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", g.ProxyAddrs()[0].String()); err == nil {
		t.Error("it still listens")
	}
}

func TestStopDoesNotWaitForEver(t *testing.T) {
	arrived := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	}))
	defer slow.Close()
	g, _, stop, ended := runnable(t, Options{Drain: 50 * time.Millisecond,
		Config: []byte("_format_version: '3.0'\nservices: [{name: s, url: '" + slow.URL + "', routes: [{paths: [/]}]}]")})
	conn := raw(t, g.ProxyAddrs()[0].String(), "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-arrived
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Run waits for an upstream")
	}
	_, _ = io.Copy(io.Discard, conn)
}

func TestOldAndOddClients(t *testing.T) {
	url, _ := seen(t, nil)
	g := start(t, Options{Config: upstreamConfig(url)})
	t.Run("HTTP/1.0", func(t *testing.T) {
		response := reply(t, g.proxy, "POST /up HTTP/1.0\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi")
		if body, _ := io.ReadAll(response.Body); response.StatusCode != 200 || string(body) != "hi" || response.Header.Get("Connection") == "keep-alive" {
			t.Errorf("%s %q %v", response.Status, body, response.Header)
		}
	})
	t.Run("HEAD", func(t *testing.T) {
		conn := raw(t, g.proxy, "HEAD /nowhere HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		text, err := io.ReadAll(conn)
		if _, body, _ := strings.Cut(string(text), "\r\n\r\n"); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 404") || body != "" {
			t.Errorf("%q, %v", text, err)
		}
	})
	t.Run("Expect: 100-continue", func(t *testing.T) {
		conn := raw(t, g.proxy, "POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
		reader := bufio.NewReader(conn)
		if line, err := reader.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
			t.Fatalf("%q, %v", line, err)
		}
		_, _ = reader.ReadString('\n')
		_, _ = io.WriteString(conn, "hi")
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if body, _ := io.ReadAll(response.Body); string(body) != "hi" {
			t.Errorf("%s %q", response.Status, body)
		}
	})
	t.Run("two requests in one write", func(t *testing.T) {
		conn := raw(t, g.proxy, strings.Repeat("POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", 2))
		reader := bufio.NewReader(conn)
		for range 2 {
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, _ := io.ReadAll(response.Body); string(body) != "x" {
				t.Errorf("%s %q", response.Status, body)
			}
		}
	})
	t.Run("both lengths", func(t *testing.T) {
		response := reply(t, g.proxy, "POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
		if response.StatusCode >= 500 {
			t.Errorf("%s", response.Status)
		}
	})
}

func BenchmarkPluginThatAnswers(b *testing.B) {
	g, err := New(Options{Proxy: "127.0.0.1:0", Admin: "off", Prefix: b.TempDir(), Config: []byte(serviceless2)})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	<-g.Ready()
	client := &http.Client{Transport: &http.Transport{}}
	b.ReportAllocs()
	for b.Loop() {
		response, err := client.Get("http://" + g.ProxyAddrs()[0].String() + "/")
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	client.CloseIdleConnections()
	stop()
	<-ended
}
