package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kong/keg/console"
)

// startStatus runs a status listener of n, and returns its address.
func startStatus(t *testing.T, n *console.Node) string {
	t.Helper()
	ready := make(chan net.Addr, 1)
	s := &console.Server{Listen: "127.0.0.1:0", Node: n, Ready: func(a net.Addr) { ready <- a }}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case a := <-ready:
		return a.String()
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
		return ""
	}
}

func TestHealthIsAnExitStatusAndOneLine(t *testing.T) {
	var phase atomic.Value
	phase.Store(console.Serving)
	address := startStatus(t, &console.Node{
		Phase: func() console.Phase { return phase.Load().(console.Phase) },
		Destinations: func() []console.Destination {
			return []console.Destination{{Label: "kafka://k:1/t", Breaker: console.Open}, {Label: "http://h/", Breaker: console.Closed}}
		},
		Sources: func() []console.Source {
			return []console.Source{{Name: "mqtt://m:1883?topics=a&group=g", Error: "refused"}, {Name: "http://127.0.0.1:8080", Up: true}}
		},
		Routes: func() console.Routes { return console.Routes{Error: "line 3"} },
	})
	env := []string{"KEG_STATUS_LISTEN=" + address}
	status, stdout, stderr := runKeg(t, env, "health")
	if want := "ready; no store; 2 destinations, 1 away: kafka://k:1/t; 2 sources, 1 down: mqtt://m:1883?topics=a&group=g; the routes file is wrong, and the routes before it are in use\n"; status != 0 || stdout != want || stderr != "" {
		t.Errorf("%d %q %q", status, stdout, stderr)
	}
	status, stdout, _ = runKeg(t, nil, "health", "--status-listen", address, "--output", "json")
	var said console.Readiness
	if err := json.Unmarshal([]byte(stdout), &said); err != nil || status != 0 || !said.Ready || len(said.Destinations) != 2 || !strings.Contains(stdout, "a&group") {
		t.Errorf("%d %s %v", status, stdout, err)
	}
	phase.Store(console.Stopping)
	if status, stdout, stderr := runKeg(t, env, "health"); status != exitFailure || stdout != "" || stderr != "keg: not ready: the node is stopping\n" {
		t.Errorf("%d %q %q", status, stdout, stderr)
	}
	if status, stdout, _ := runKeg(t, env, "health", "-o", "json"); status != exitFailure || !strings.Contains(stdout, `"ready": false`) {
		t.Errorf("%d %q", status, stdout)
	}
	if status, stdout, stderr := runKeg(t, env, "health", "--live"); status != 0 || stdout != "the node lives\n" {
		t.Errorf("%d %q %q", status, stdout, stderr)
	}
}

func TestWhereNoNodeAnswersHealthFails(t *testing.T) {
	closed := newSwitchedServer(t).address
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }))
	defer stranger.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, test := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"--status-listen", closed}, exitFailure, closed},
		{[]string{"--status-listen", closed, "--live"}, exitFailure, "connection refused"},
		{[]string{"--status-listen", stranger.Listener.Addr().String()}, exitFailure, "KEG node"},
		{[]string{"--status-listen", silent.Addr().String(), "--timeout", "200ms"}, exitFailure, "deadline"},
		{[]string{"--status-listen", "off"}, exitUsage, "off"},
		{[]string{"--status-listen", "8090"}, exitUsage, `--status-listen="8090": must be host:port`},
	} {
		began := time.Now()
		status, stdout, stderr := runKeg(t, nil, append([]string{"health"}, test.args...)...)
		if status != test.status || stdout != "" || !strings.Contains(stderr, test.says) {
			t.Errorf("%v: %d %q %q", test.args, status, stdout, stderr)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("%v took %v", test.args, took)
		}
	}
}
