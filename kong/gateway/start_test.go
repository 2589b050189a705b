package gateway

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// built is a directory for programs that tests build.
var built string

func TestMain(m *testing.M) {
	var err error
	if built, err = os.MkdirTemp("", "gateway-test-"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(built)
		os.Exit(code)
	}))
}

// started is a gateway that runs until the test ends.
type started struct {
	*Gateway
	proxy, admin string // host:port
}

// start runs a gateway on free ports and stops it at the end.
func start(t *testing.T, o Options) *started {
	t.Helper()
	if o.Proxy == "" {
		o.Proxy = "127.0.0.1:0"
	}
	if o.Admin == "" {
		o.Admin = "127.0.0.1:0"
	}
	if o.Prefix == "" {
		o.Prefix = t.TempDir()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if o.Drain == 0 {
		o.Drain = 5 * time.Second
	}
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	select {
	case <-g.Ready():
	case err := <-ended:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(30 * time.Second):
			t.Error("Run did not return")
		}
	})
	return &started{g, g.ProxyAddrs()[0].String(), g.AdminAddrs()[0].String()}
}

// runnable is start for tests that stop the gateway themselves.
func runnable(t *testing.T, o Options) (*Gateway, context.Context, context.CancelFunc, <-chan error) {
	t.Helper()
	o.Proxy, o.Admin, o.Prefix = "127.0.0.1:0", "127.0.0.1:0", t.TempDir()
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	<-g.Ready()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return g, ctx, cancel, ended
}

// echo is the upstream of the recordings: it says what it was asked.
func echo(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
		w.Header().Set("X-Backend", "yes")
		fmt.Fprintf(w, "%s %s\n%v\nbody %d: %s\n", r.Method, r.RequestURI, r.Header, len(body), body)
	}))
	t.Cleanup(s.Close)
	return s
}

// raw sends bytes on a new connection and returns it.
func raw(t *testing.T, addr, text string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}
