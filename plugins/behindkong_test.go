package plugins_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kong/keg/hub"
	"github.com/kong/keg/kong/gateway"
	"github.com/kong/keg/kong/server"
	"github.com/kong/keg/plugins"
	"github.com/kong/keg/router"
	"github.com/kong/keg/sinks"
	"github.com/kong/keg/test/logtest"
)

// behindKong is the plugins over real sinks, behind the stand-in for Kong.
type behindKong struct {
	proxy, admin string // addresses
	log          *logtest.Log
	dumps        []byte // what Kong is told of the plugins
}

// startBehindKong starts both. env is where the vault env looks.
func startBehindKong(t *testing.T, config string, env map[string]string) *behindKong {
	t.Helper()
	k := &behindKong{log: &logtest.Log{}}
	log := slog.New(slog.NewTextHandler(k.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	pool := sinks.NewPool(log)
	events := hub.New(hub.Options{Sinks: pool, Log: log})
	o := plugins.Options{Hub: events, Version: "1", Log: log, LogRoom: plugins.NewLogRoom(log), Routes: router.Options{Types: sinks.Types()}}
	socket := filepath.Join(t.TempDir(), "keg.socket")
	s, err := server.New(server.Options{Socket: socket, Plugins: plugins.All(o), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	var servers []gateway.PluginServer
	for _, plugin := range plugins.All(o) {
		dump, err := server.Dump(plugin, socket)
		if err != nil {
			t.Fatal(err)
		}
		k.dumps = append(k.dumps, dump...)
		servers = append(servers, gateway.PluginServer{Name: plugin.Name, Socket: socket, Dump: dump})
	}
	g, err := gateway.New(gateway.Options{
		Config: []byte(config), Proxy: "127.0.0.1:0", Admin: "127.0.0.1:0", Prefix: t.TempDir(), Log: log,
		PluginServers: servers,
		LookupEnv:     func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served, proxied := make(chan error, 1), make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	go func() { proxied <- g.Run(ctx) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		stop()
		closing, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		for _, end := range []struct {
			what string
			err  error
		}{{"gateway", <-proxied}, {"server", <-served}, {"log phases", o.LogRoom.Close(closing)}, {"hub", events.Close(closing)}, {"pool", pool.Close()}} {
			if end.err != nil {
				t.Errorf("%s: %v", end.what, end.err)
			}
		}
		if n := pool.Clients(); n != 0 {
			t.Errorf("%d clients are left open", n)
		}
	})
	<-g.Ready()
	k.proxy, k.admin = g.ProxyAddrs()[0].String(), g.AdminAddrs()[0].String()
	return k
}

// do sends a request and returns its answer, read.
func do(t *testing.T, method, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(answer)
}
