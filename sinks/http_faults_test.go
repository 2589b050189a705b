package sinks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kong/keg"
)

func TestHTTPBrokenReceiversAreNotTheEventsFault(t *testing.T) {
	already := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, already) })
	away := httptest.NewServer(nil)
	away.Close()
	for _, tt := range []struct{ name, address, want string }{
		{"nobody listens", away.URL, "outage"},
		{"no such name", "http://receiver.invalid/", "outage"},
		{"speaks no TLS", strings.Replace(raw(t, readRequest), "http:", "https:", 1), "outage"},
		{"speaks HTTP where TLS is due", strings.Replace(serve(t, http.NotFound).URL, "http:", "https:", 1), "outage"},
		{"closes at once", raw(t, func(net.Conn) {}), "transient"},
		{"closes after the request", raw(t, readRequest), "transient"},
		{"resets after the request", raw(t, func(c net.Conn) {
			readRequest(c)
			_ = c.(*net.TCPConn).SetLinger(0)
		}), "transient"},
		{"resets within its answer", raw(t, func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 O")
			_ = c.(*net.TCPConn).SetLinger(0)
		}), "transient"},
		{"speaks no HTTP", raw(t, func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "220 mail.example ESMTP\r\n")
		}), "transient"},
		{"sends headers without end", raw(t, func(c net.Conn) {
			readRequest(c)
			for _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n"); err == nil; _, err = io.WriteString(c, "X-A: "+strings.Repeat("a", 4000)+"\r\n") {
			}
		}), "transient"},
		{"says 102 without end", raw(t, func(c net.Conn) {
			readRequest(c)
			for _, err := io.WriteString(c, ""); err == nil; _, err = io.WriteString(c, "HTTP/1.1 102 Processing\r\n\r\n") {
			}
		}), "transient"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := sendOne(t, sinkTo(t, tt.address, nil), webhook("1"))
			if class(err) != tt.want {
				t.Errorf("%v is %s, want %s", err, class(err), tt.want)
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
	for name, tt := range map[string]struct{ address, want string }{
		"silent":        {silent, "transient"},
		"slow":          {slow.URL, "transient"},
		"silent in TLS": {strings.Replace(silent, "http:", "https:", 1), "outage"}, // the request was not sent
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			began := time.Now()
			err := sinkTo(t, tt.address, nil).Send(ctx, webhook("1"))
			if !errors.Is(err, context.DeadlineExceeded) || class(err) != tt.want {
				t.Errorf("%v is %s, want %s, the end of the context", err, class(err), tt.want)
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
			if err := sendOne(t, sink, webhook("1")); err != nil {
				t.Errorf("%v, though the answer was 200", err)
			}
			if took := time.Since(began); took > 10*answerTime {
				t.Errorf("took %v", took)
			}
		})
	}
}
