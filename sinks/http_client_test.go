package sinks

import (
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

	"github.com/kong/keg"
)

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
		if err := sendOne(t, sink, webhook("1")); err != nil {
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
					if err := sendOne(t, sink, webhook("1")); err != nil {
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
			err := sendOne(t, sink, webhook("1"))
			switch {
			case tt.problem == "" && err != nil:
				t.Error(err)
			case tt.problem != "" && (class(err) != "outage" || !strings.Contains(err.Error(), tt.problem)):
				t.Errorf("%v, want an outage with %q", err, tt.problem)
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
		_ = sendOne(t, sink, webhook("1"))
		if got := pool.Clients(); got != tt.want {
			t.Errorf("%s: %d clients, want %d", tt.name, got, tt.want)
		}
	}
}
