package server_test

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	wire "github.com/Kong/go-pdk/server/kong_plugin_protocol"

	"github.com/kong/keg/kong/server"
)

// echoConfig is the config of the plugin that most tests serve.
type echoConfig struct {
	Mode string `kong:"mode" doc:"What the plugin does."`
}

// echo is a plugin whose access phase is a function of the test's.
func echo(name string, access func(ctx context.Context, c *server.Call) error) server.Plugin {
	return server.Plugin{
		Name: name, Version: "1.0", Priority: 10,
		Phases: []server.Phase{server.Access, server.Log},
		Config: func() any { return new(echoConfig) },
		Start: func(config any) (server.Instance, error) {
			return &echoInstance{config.(*echoConfig), access}, nil
		},
	}
}

type echoInstance struct {
	config *echoConfig
	access func(ctx context.Context, c *server.Call) error
}

func (i *echoInstance) Access(ctx context.Context, c *server.Call) error { return i.access(ctx, c) }
func (i *echoInstance) Log(ctx context.Context, c *server.Call) error    { return i.access(ctx, c) }
func (i *echoInstance) Close() error                                     { return nil }

// serve starts a server for the test and returns its socket.
func serve(t testing.TB, o server.Options) string {
	t.Helper()
	if o.Socket == "" {
		o.Socket = filepath.Join(t.TempDir(), "s")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	s, err := server.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Serve did not return")
		}
	})
	return o.Socket
}

func dial(t testing.TB, socket string) *net.UnixConn {
	t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

func TestAnEventAsksInOneWriteAndGoesOn(t *testing.T) {
	asked := make(chan map[string][]string, 1)
	socket := serve(t, server.Options{Plugins: []server.Plugin{echo("p", func(_ context.Context, c *server.Call) error {
		b := c.Batch()
		id, headers := b.Var("kong_request_id"), b.Headers(server.MostHeaders)
		if err := b.Do(); err != nil {
			return err
		}
		asked <- map[string][]string{"id": {id.Value()}, "host": headers.Value()["host"]}
		return nil
	})}})
	kong := newKong(t, dial(t, socket))
	id := kong.start("p", `{"mode":"x"}`)
	kong.answers = map[string]any{
		"kong.nginx.get_var":       &wire.String{V: "abc"},
		"kong.request.get_headers": map[string]any{"host": "example.org"},
	}
	kong.event(id, "access")
	got := <-asked
	if got["id"][0] != "abc" || got["host"][0] != "example.org" {
		t.Errorf("the plugin saw %v", got)
	}
}
