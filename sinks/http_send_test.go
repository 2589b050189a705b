package sinks

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"github.com/kong/keg"
	"github.com/kong/keg/cloudevents"
	"github.com/kong/keg/sinks/sinktest"
)

func TestHTTPIsASink(t *testing.T) {
	sinktest.Run(t, startHTTP)
}

// startHTTP is a receiver that keeps what it is sent, and checks the token.
func startHTTP(t *testing.T) *sinktest.Target {
	wire, err := sinktest.Listen()
	if err != nil {
		t.Fatal(err)
	}
	var (
		mu     sync.Mutex
		got    []sinktest.Arrival
		refuse atomic.Bool
	)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil:
			return // the sender has gone
		case r.Header.Get("Authorization") != "Bearer "+sinktest.Secret, refuse.Load():
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, "not with %s", r.Header.Get("Authorization"))
			return
		}
		headers := keg.Headers{}
		for name, values := range r.Header {
			headers[strings.ToLower(name)] = values
		}
		arrival := sinktest.Arrival{Body: body, Headers: r.Header.Clone()}
		batch, err := cloudevents.FromRequest(&cloudevents.Request{
			Method: r.Method, Scheme: "http", Host: r.Host, Path: r.URL.Path, Headers: headers, Body: body,
		}, cloudevents.Options{MaxBytes: 64 << 20})
		if err == nil && len(batch.Entries) == 1 {
			arrival.Event = batch.Entries[0].Event
		} else {
			t.Errorf("what arrived is no event: %v", err)
		}
		mu.Lock()
		got = append(got, arrival)
		mu.Unlock()
		w.WriteHeader(http.StatusAccepted)
	}))
	_ = server.Listener.Close()
	server.Listener = wire
	server.Start()
	pool := NewPool(testLog(t))
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
		wire.Cut()
		server.Close()
	})
	settings := func(token string) func() keg.Settings {
		return func() keg.Settings {
			return &HTTP{
				Address:      "http://" + wire.Addr().String() + "/events?token=" + sinktest.Secret,
				Method:       "POST",
				Auth:         &HTTPAuth{Bearer: keg.NewSecret(token)},
				AllowPrivate: true,
			}
		}
	}
	return &sinktest.Target{
		Type:     "http",
		Open:     pool.Open,
		Settings: settings(sinktest.Secret),
		Wire:     wire,
		Arrived: func(context.Context) ([]sinktest.Arrival, error) {
			mu.Lock()
			defer mu.Unlock()
			return append([]sinktest.Arrival(nil), got...), nil
		},
		Formats: []keg.Format{keg.FormatBinary, keg.FormatStructured, keg.FormatRaw},
		Refusals: []sinktest.Refusal{
			{Name: "a wrong token", Settings: settings("another-" + sinktest.Secret)},
			{Name: "403", Begin: func() { refuse.Store(true) }, End: func() { refuse.Store(false) }},
		},
		Headers: true,
	}
}

// sinkTo opens a sink with settings changed by change.
func sinkTo(t testing.TB, address string, change func(d *keg.Destination, h *HTTP)) keg.Sink {
	t.Helper()
	pool := NewPool(testLog(t))
	h := &HTTP{Address: address, Method: "POST", AllowPrivate: true}
	d := &keg.Destination{Type: "http", Name: "test", Format: keg.FormatBinary, Settings: h}
	if change != nil {
		change(d, h)
	}
	sink, err := pool.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sink.Close(); err != nil {
			t.Error(err)
		}
	})
	return sink
}

func webhook(id string) *keg.Event {
	return &keg.Event{ID: id, Source: "/shop", Type: "order.created", DataContentType: "application/json", Data: []byte(`{"n":1}`)}
}

// sendHTTP sends one event, with a bound that only a broken sink reaches.
func sendHTTP(t testing.TB, sink keg.Sink, e *keg.Event) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return sink.Send(ctx, e)
}

func serve(t testing.TB, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func TestHTTPNeverFollowsARedirect(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		var asked atomic.Int32
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			http.Redirect(w, r, "/elsewhere", status)
		})
		err := sendHTTP(t, sinkTo(t, server.URL, nil), webhook("1"))
		if !keg.IsPermanent(err) || asked.Load() != 1 {
			t.Errorf("%d: %v after %d requests, want a permanent error after one", status, err, asked.Load())
		}
	}
}

func TestHTTPTakesNoProxyFromTheEnvironment(t *testing.T) {
	proxy := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") })
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	server := serve(t, func(http.ResponseWriter, *http.Request) {})
	// A name that net/http would not exempt, unlike 127.0.0.1.
	_ = sendHTTP(t, sinkTo(t, strings.Replace(server.URL, "127.0.0.1", "127.0.0.1.invalid", 1), nil), webhook("1"))
}

func TestHTTPAddressesThatAreNotConnectedTo(t *testing.T) {
	server := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the server was asked") })
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	for _, tt := range []struct {
		name, address string
		private       bool
	}{
		{"loopback without allow_private", server.URL, false},
		{"a name of loopback without allow_private", "http://localhost:" + port, false},
		{"loopback in IPv6 without allow_private", "http://[::1]:" + port, false},
		{"metadata", "http://169.254.169.254/latest/meta-data/", true},
		{"metadata, mapped", "http://[::ffff:169.254.169.254]/", true},
		{"metadata, NAT64", "http://[64:ff9b::a9fe:a9fe]/", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sink := sinkTo(t, tt.address, func(_ *keg.Destination, h *HTTP) { h.AllowPrivate = tt.private })
			if err := sendHTTP(t, sink, webhook("1")); !keg.IsPermanent(err) {
				t.Errorf("%v, want a permanent error", err)
			}
		})
	}
}

func TestHTTPRequest(t *testing.T) {
	secret := signingSecret(32)
	for _, tt := range []struct {
		name   string
		change func(d *keg.Destination, h *HTTP)
		event  func(e *keg.Event)
		check  func(r *http.Request, body []byte) error
	}{
		{"is a POST to the address, query and all", nil, nil, func(r *http.Request, body []byte) error {
			return want(r.Method+" "+r.RequestURI+" "+string(body), `POST /hooks?k=v {"n":1}`)
		}},
		{"has a length", nil, nil, func(r *http.Request, _ []byte) error {
			return want(fmt.Sprint(r.ContentLength, r.TransferEncoding), "7 []")
		}},
		{"has no body where the event has no data", nil, func(e *keg.Event) { e.Data = nil }, func(r *http.Request, body []byte) error {
			return want(fmt.Sprint(r.ContentLength, len(body)), "0 0")
		}},
		{"another method", func(_ *keg.Destination, h *HTTP) { h.Method = "PUT" }, nil, func(r *http.Request, _ []byte) error {
			return want(r.Method, "PUT")
		}},
		{"bearer", func(_ *keg.Destination, h *HTTP) { h.Auth = &HTTPAuth{Bearer: keg.NewSecret("abc")} }, nil, func(r *http.Request, _ []byte) error {
			return want(r.Header.Get("Authorization"), "Bearer abc")
		}},
		{"basic", func(_ *keg.Destination, h *HTTP) { h.Auth = &HTTPAuth{Username: "u", Password: keg.NewSecret("p:q")} }, nil, func(r *http.Request, _ []byte) error {
			user, password, ok := r.BasicAuth()
			return want(fmt.Sprint(user, " ", password, ok), "u p:qtrue")
		}},
		{"auth goes over an event's own", func(_ *keg.Destination, h *HTTP) { h.Auth = &HTTPAuth{Bearer: keg.NewSecret("abc")} },
			func(e *keg.Event) { e.Headers = keg.Headers{"authorization": {"Bearer of-the-sender"}} },
			func(r *http.Request, _ []byte) error {
				return want(strings.Join(r.Header.Values("Authorization"), ","), "Bearer abc")
			}},
		{"fixed headers go over an event's own", func(d *keg.Destination, _ *HTTP) {
			d.Headers = map[string]keg.Secret{"x-tenant": keg.NewSecret("blue")}
		},
			func(e *keg.Event) { e.Headers = keg.Headers{"x-tenant": {"red", "green"}, "x-other": {"1"}} },
			func(r *http.Request, _ []byte) error {
				return want(strings.Join(r.Header.Values("X-Tenant"), ",")+" "+r.Header.Get("X-Other"), "blue 1")
			}},
		{"no header breaks out of its line", nil,
			func(e *keg.Event) { e.Headers = keg.Headers{"x-a": {"1\r\nX-Forged: 1"}, "x-b\r\nx-forged": {"1"}} },
			func(r *http.Request, _ []byte) error { return want(r.Header.Get("X-Forged"), "") }},
		{"no header of another hop is forwarded", nil,
			func(e *keg.Event) {
				e.Headers = keg.Headers{"connection": {"close, x-hop"}, "transfer-encoding": {"chunked"}, "content-length": {"9"}, "host": {"evil"}, "te": {"trailers"}, "upgrade": {"h2c"}, "expect": {"100-continue"}}
			},
			func(r *http.Request, _ []byte) error {
				return want(fmt.Sprint(r.Header.Get("Connection"), r.TransferEncoding, r.ContentLength, r.Header.Get("Te"), r.Header.Get("Upgrade"), r.Header.Get("Expect"), strings.Contains(r.Host, "evil")), "[] 7false")
			}},
		{"says who it is", nil, nil, func(r *http.Request, _ []byte) error { return want(r.UserAgent(), "KEG") }},
		{"no key to repeat itself by is sent", nil, nil, func(r *http.Request, _ []byte) error {
			return want(fmt.Sprint(r.Header["Idempotency-Key"]), "[]")
		}},
		{"no compressed answer is asked for", nil, nil, func(r *http.Request, _ []byte) error {
			return want(r.Header.Get("Accept-Encoding"), "")
		}},
		{"signed", func(_ *keg.Destination, h *HTTP) { h.Signing = &HTTPSigning{Secret: []keg.Secret{secret}} },
			func(e *keg.Event) {
				e.Headers = keg.Headers{"webhook-id": {"forged"}, "webhook-signature": {"v1,forged"}}
			},
			func(r *http.Request, body []byte) error {
				verifier, err := webhooks.NewWebhook(secret.Reveal())
				if err != nil {
					return err
				}
				return errors.Join(verifier.Verify(body, r.Header), want(strings.Join(r.Header.Values("Webhook-Id"), ","), "order-7"))
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var problem error
			server := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				problem = errors.Join(err, tt.check(r, body))
			})
			e := webhook("order-7")
			if tt.event != nil {
				tt.event(e)
			}
			if err := sendHTTP(t, sinkTo(t, server.URL+"/hooks?k=v", tt.change), e); err != nil {
				t.Fatal(err)
			}
			if problem != nil {
				t.Error(problem)
			}
		})
	}
}

func want(got, want string) error {
	if got != want {
		return fmt.Errorf("%q, want %q", got, want)
	}
	return nil
}

func TestHTTPErrorsShowNoSecret(t *testing.T) {
	const secret = "hunter2hunter2"
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		// A debugging receiver: it sends back all that it got.
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(400)
		user, password, _ := r.BasicAuth()
		fmt.Fprint(w, r.RequestURI, user, password, r.Header)
	})
	away := httptest.NewServer(nil)
	away.Close()
	for _, tt := range []struct {
		name, address string
		change        func(d *keg.Destination, h *HTTP)
	}{
		{"a query", server.URL + "/x?token=" + secret, nil},
		{"a query, and nobody there", away.URL + "/x?token=" + secret, nil},
		{"a bearer", server.URL, func(_ *keg.Destination, h *HTTP) { h.Auth = &HTTPAuth{Bearer: keg.NewSecret(secret)} }},
		{"a password", server.URL, func(_ *keg.Destination, h *HTTP) {
			h.Auth = &HTTPAuth{Username: "u", Password: keg.NewSecret(secret)}
		}},
		{"a header", server.URL, func(d *keg.Destination, _ *HTTP) {
			d.Headers = map[string]keg.Secret{"X-Api-Key": keg.NewSecret(secret)}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := webhook("1")
			e.Headers = keg.Headers{"cookie": {"session=" + secret}}
			err := sendHTTP(t, sinkTo(t, tt.address, tt.change), e)
			if err == nil {
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%v shows the secret", err)
			}
		})
	}
}

func TestHTTPConnectionsAreUsedAgain(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	sink := sinkTo(t, server.URL, nil)
	for range 50 {
		if err := sendHTTP(t, sink, webhook("1")); err != nil {
			t.Fatal(err)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for 50 requests, one after the other", n)
	}
}

func TestHTTPConnectionsAreBounded(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %v", h2), func(t *testing.T) {
			var now, most atomic.Int32
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
			}))
			server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				switch state {
				case http.StateNew:
					most.Store(max(most.Load(), now.Add(1)))
				case http.StateClosed:
					now.Add(-1)
				}
			}
			change := func(*keg.Destination, *HTTP) {}
			if h2 {
				server.EnableHTTP2 = true
				server.StartTLS()
				change = func(_ *keg.Destination, h *HTTP) { h.TLS = &TLS{CA: certificate(server)} }
			} else {
				server.Start()
			}
			defer server.Close()
			sink := sinkTo(t, server.URL, change)
			var sends sync.WaitGroup
			for range 3 * maxConnections {
				sends.Go(func() {
					if err := sendHTTP(t, sink, webhook("1")); err != nil {
						t.Error(err)
					}
				})
			}
			sends.Wait()
			// Over HTTP/2, where one would do, net/http closes those that it dialled
			// too many, and the server is late to notice.
			if n := most.Load(); !h2 && n > maxConnections {
				t.Errorf("%d connections at once, want at most %d", n, maxConnections)
			}
		})
	}
}

func certificate(server *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

func TestHTTPVerifiesCertificates(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	for _, tt := range []struct {
		name    string
		tls     *TLS
		problem string // "": taken
	}{
		{"its authority is known", &TLS{CA: certificate(server)}, ""},
		{"nothing is verified", &TLS{InsecureSkipVerify: true}, ""},
		{"its authority is unknown", nil, "certificate"},
		{"it is another server's", &TLS{CA: certificate(server), ServerName: "other.internal"}, "other.internal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sink := sinkTo(t, server.URL, func(_ *keg.Destination, h *HTTP) { h.TLS = tt.tls })
			err := sendHTTP(t, sink, webhook("1"))
			switch {
			case tt.problem == "" && err != nil:
				t.Error(err)
			case tt.problem != "" && (err == nil || keg.IsPermanent(err) || !strings.Contains(err.Error(), tt.problem)):
				t.Errorf("%v, want a transient error with %q", err, tt.problem)
			}
		})
	}
}

// raw answers each connection by hand.
func raw(t *testing.T, answer func(c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer func() { _ = c.Close() }()
				answer(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		work.Wait()
	})
	return "http://" + l.Addr().String()
}

func readRequest(c net.Conn) { _, _ = c.Read(make([]byte, 64<<10)) }

func TestHTTPBrokenReceiversAreTransient(t *testing.T) {
	already := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, already) })
	away := httptest.NewServer(nil)
	away.Close()
	for _, tt := range []struct{ name, address string }{
		{"nobody listens", away.URL},
		{"no such name", "http://receiver.invalid/"},
		{"closes at once", raw(t, func(net.Conn) {})},
		{"closes after the request", raw(t, readRequest)},
		{"resets after the request", raw(t, func(c net.Conn) {
			readRequest(c)
			_ = c.(*net.TCPConn).SetLinger(0)
		})},
		{"speaks no HTTP", raw(t, func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "220 mail.example ESMTP\r\n")
		})},
		{"sends headers without end", raw(t, func(c net.Conn) {
			readRequest(c)
			for _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n"); err == nil; _, err = io.WriteString(c, "X-A: "+strings.Repeat("a", 4000)+"\r\n") {
			}
		})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := sendHTTP(t, sinkTo(t, tt.address, nil), webhook("1"))
			if err == nil || keg.IsPermanent(err) {
				t.Errorf("%v, want a transient error", err)
			}
		})
	}
}

func TestHTTPGivesUpWhenItsContextEnds(t *testing.T) {
	release := make(chan struct{})
	silent := raw(t, func(net.Conn) { <-release })
	slow := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	t.Cleanup(func() { close(release) })
	for name, address := range map[string]string{"silent": silent, "slow": slow.URL, "silent in TLS": strings.Replace(silent, "http:", "https:", 1)} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			began := time.Now()
			err := sinkTo(t, address, nil).Send(ctx, webhook("1"))
			if !errors.Is(err, context.DeadlineExceeded) || keg.IsPermanent(err) {
				t.Errorf("%v, want the end of the context", err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("after %v", took)
			}
		})
	}
}

func TestAReceiverThatDribblesItsAnswerHoldsUpNobody(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %v", h2), func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = io.WriteString(w, "taken, and")
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			}))
			server.EnableHTTP2 = h2
			server.StartTLS()
			defer server.Close()
			sink := sinkTo(t, server.URL, func(_ *keg.Destination, h *HTTP) { h.TLS = &TLS{CA: certificate(server)} })
			began := time.Now()
			if err := sendHTTP(t, sink, webhook("1")); err != nil {
				t.Errorf("%v, though the answer was 200", err)
			}
			if took := time.Since(began); took > 10*answerTime {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestHTTPClientsAreShared(t *testing.T) {
	server := serve(t, func(http.ResponseWriter, *http.Request) {})
	pool := NewPool(testLog(t))
	defer func() { _ = pool.Close() }()
	for _, tt := range []struct {
		name   string
		change func(h *HTTP)
		want   int
	}{
		{"the first", func(*HTTP) {}, 1},
		{"another path", func(h *HTTP) { h.Address += "/other?x=1" }, 1},
		{"another method and auth", func(h *HTTP) { h.Method, h.Auth = "PUT", &HTTPAuth{Username: "u"} }, 1},
		{"public addresses only", func(h *HTTP) { h.AllowPrivate = false }, 2},
		{"another host", func(h *HTTP) { h.Address = strings.Replace(h.Address, "127.0.0.1", "localhost", 1) }, 3},
	} {
		h := &HTTP{Address: server.URL, Method: "POST", AllowPrivate: true}
		tt.change(h)
		sink, err := pool.Open(&keg.Destination{Type: "http", Name: tt.name, Format: keg.FormatRaw, Settings: h})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = sink.Close() }()
		_ = sendHTTP(t, sink, webhook("1"))
		if got := pool.Clients(); got != tt.want {
			t.Errorf("%s: %d clients, want %d", tt.name, got, tt.want)
		}
	}
}

func BenchmarkHTTPSend(b *testing.B) {
	server := serve(b, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	for _, signing := range []bool{false, true} {
		b.Run(fmt.Sprintf("signed=%v", signing), func(b *testing.B) {
			sink := sinkTo(b, server.URL, func(_ *keg.Destination, h *HTTP) {
				if signing {
					h.Signing = &HTTPSigning{Secret: []keg.Secret{signingSecret(32)}}
				}
			})
			e := webhook("1")
			e.Data = make([]byte, 1024)
			b.SetParallelism(32)
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if err := sendHTTP(b, sink, e); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
