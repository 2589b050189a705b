package sinks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kong/keg"
)

// TestEveryStatusFromTheWireIsJudged is TestEveryStatusIsJudged with net/http in
// between, which has its own mind about 1xx and about bodies.
func TestEveryStatusFromTheWireIsJudged(t *testing.T) {
	address := raw(t, func(c net.Conn) {
		request := make([]byte, 64<<10)
		n, _ := c.Read(request)
		var status int
		_, _ = fmt.Sscanf(string(request[:n]), "POST /%d ", &status)
		fmt.Fprintf(c, "HTTP/1.1 %d Whatever\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nwhy", status)
	})
	for status := 100; status < 600; status++ {
		want := classOfStatus(status)
		if status < 200 && status != http.StatusSwitchingProtocols {
			want = "transient" // an answer that says that there will be one, and then there is none
		}
		if err := sendOne(t, sinkTo(t, fmt.Sprintf("%s/%d", address, status), nil), webhook("1")); class(err) != want {
			t.Errorf("%d: %v is %s, want %s", status, err, class(err), want)
		}
	}
}

// A receiver may answer before it has read what it is sent.
func TestAnAnswerBeforeTheBodyIsReadIsHeard(t *testing.T) {
	for _, status := range []int{200, 413, 429, 503} {
		address := raw(t, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1024))
			fmt.Fprintf(c, "HTTP/1.1 %d Whatever\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status)
			_, _ = io.Copy(io.Discard, c)
		})
		if err := sendOne(t, sinkTo(t, address, nil), bulky()); class(err) != classOfStatus(status) {
			t.Errorf("%d: %v is %s, want %s", status, err, class(err), classOfStatus(status))
		}
	}
}

func TestAReceiverThatDoesNotReadTheBodyIsTransient(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	for name, do := range map[string]func(c net.Conn){
		"hangs":  func(net.Conn) { <-release },
		"closes": func(c net.Conn) { _, _ = c.Read(make([]byte, 1024)) },
		"resets": func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1024))
			_ = c.(*net.TCPConn).SetLinger(0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			address := raw(t, do)
			if name == "hangs" {
				defer func() { release <- struct{}{} }()
			}
			ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
			defer cancel()
			if err := sinkTo(t, address, nil).Send(ctx, bulky()); class(err) != "transient" {
				t.Errorf("%v is %s, want transient: some of it was sent", err, class(err))
			}
		})
	}
}

// bulky is more than the kernel's buffers take.
func bulky() *keg.Event {
	e := webhook("1")
	e.Data = bytes.Repeat([]byte("x"), 16<<20)
	return e
}

func TestAnHTTP2ReceiversFaultsAreToldApart(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/resets":
			panic(http.ErrAbortHandler)
		case "/hangs":
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
		if r.ProtoMajor != 2 {
			t.Errorf("spoken to in %s", r.Proto)
		}
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	defer close(release)
	for path, want := range map[string]string{"/takes": "taken", "/resets": "transient", "/hangs": "transient"} {
		sink := sinkTo(t, server.URL+path, func(_ *keg.Destination, h *HTTP) { h.TLS = &TLS{CA: certificate(server)} })
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		if err := sink.Send(ctx, webhook("1")); class(err) != want {
			t.Errorf("%s: %v is %s, want %s", path, err, class(err), want)
		}
		cancel()
	}
	sink := sinkTo(t, server.URL+"/takes", func(_ *keg.Destination, h *HTTP) { h.TLS = &TLS{CA: certificate(server)} })
	if err := sendOne(t, sink, webhook("1")); err != nil {
		t.Fatal(err)
	}
	server.CloseClientConnections()
	_ = server.Listener.Close()
	eventually(t, "nobody listens is an outage", func() bool { return class(sendOne(t, sink, webhook("1"))) == "outage" })
}

// A receiver that is slow with those before holds up those behind, which were
// never sent: no attempt of theirs is spent.
func TestAnHTTPSendThatGetsNoConnectionInTimeWasNotSent(t *testing.T) {
	release := make(chan struct{})
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-release
	})
	sink := sinkTo(t, server.URL, nil)
	var sends sync.WaitGroup
	for range maxConnections {
		sends.Go(func() {
			if err := sendOne(t, sink, webhook("1")); err != nil {
				t.Errorf("%v, though it had a connection", err)
			}
		})
	}
	eventually(t, "a Send finds no connection", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		err := sink.Send(ctx, webhook("1"))
		return class(err) == "outage" && errors.Is(err, context.DeadlineExceeded) && strings.Contains(err.Error(), "no connection")
	})
	close(release)
	sends.Wait()
}
