package sinks

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

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
		refuse atomic.Int32
	)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil:
			return // the sender has gone
		case r.Header.Get("Authorization") != "Bearer "+sinktest.Secret, refuse.Load() != 0:
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(max(http.StatusForbidden, int(refuse.Load())))
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
			{Name: "403", Begin: func() { refuse.Store(403) }, End: func() { refuse.Store(0) }},
			{Name: "413", TooLarge: true, Begin: func() { refuse.Store(413) }, End: func() { refuse.Store(0) }},
		},
		Headers: true,
	}
}
