package sinks

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/kong/keg"
)

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

// sendOne sends one event, with a bound that only a broken sink reaches.
func sendOne(t testing.TB, sink keg.Sink, e *keg.Event) error {
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

func certificate(server *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
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
