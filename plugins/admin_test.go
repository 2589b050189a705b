package plugins_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	kongclient "github.com/kong/go-kong/kong"

	"github.com/kong/keg/kong/gateway"
	"github.com/kong/keg/kong/server"
	"github.com/kong/keg/plugins"
	"github.com/kong/keg/router"
)

// managed is the plugins behind the stand-in for Kong, which is configured as
// people configure Kong: by its Admin API, with Kong's own client.
type managed struct {
	*kong
	admin *kongclient.Client
	proxy string
	http  *http.Client
}

func newManaged(t *testing.T, workers int) *managed {
	t.Helper()
	k := newKong(t, plugins.Options{})
	o := gateway.Options{
		Config: []byte("_format_version: '3.0'"), Proxy: "127.0.0.1:0", Admin: "127.0.0.1:0", Prefix: t.TempDir(),
		AdminWritable: true, Workers: workers, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	for _, name := range plugins.Names() {
		plugin, _ := plugins.ByName(name, plugins.Options{Version: "1.2.3", Routes: router.Options{Types: memoryTypes}})
		dump, err := server.Dump(plugin, k.socket)
		if err != nil {
			t.Fatal(err)
		}
		o.PluginServers = append(o.PluginServers, gateway.PluginServer{Name: name, Socket: k.socket, Dump: dump})
	}
	g, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	m := &managed{kong: k, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}, Timeout: 30 * time.Second}}
	t.Cleanup(func() {
		m.http.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the gateway: %v", err)
		}
	})
	<-g.Ready()
	m.proxy = "http://" + g.ProxyAddrs()[0].String()
	url := "http://" + g.AdminAddrs()[0].String()
	if m.admin, err = kongclient.NewClient(&url, m.http); err != nil {
		t.Fatal(err)
	}
	return m
}

// route creates a route with event-router, which sends all to one sink.
func (m *managed) route(t *testing.T, name string) (*kongclient.Route, *kongclient.Plugin) {
	t.Helper()
	route, err := m.admin.Routes.Create(t.Context(), &kongclient.Route{Name: &name, Paths: kongclient.StringSlice("/" + name + "/")})
	if err != nil {
		t.Fatal(err)
	}
	plugin, err := m.admin.Plugins.CreateForRoute(t.Context(), route.ID, &kongclient.Plugin{
		Name: kongclient.String("event-router"), Config: kongclient.Configuration{"routes": sendsTo(name)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return route, plugin
}

func sendsTo(address string) []any {
	return []any{map[string]any{"name": address, "match": map[string]any{}, "destinations": []any{map[string]any{"type": "memory", "address": address}}}}
}

// post sends an event and returns the status and the answer.
func (m *managed) post(ctx context.Context, path, id string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.proxy+path, strings.NewReader(`{"event_id":"`+id+`"}`))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := m.http.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, string(answer), err
}

// TestConfiguredByTheAdminAPI walks the way of a user: a service, a route, the
// plugin, an event, another configuration, the end.
func TestConfiguredByTheAdminAPI(t *testing.T) {
	m, ctx := newManaged(t, 1), t.Context()
	answers := func(id string, status int, has string) {
		t.Helper()
		got, answer, err := m.post(ctx, "/shop/x", id)
		if err != nil || got != status || !strings.Contains(answer, has) {
			t.Errorf("%d %s %v, want %d with %s", got, answer, err, status, has)
		}
	}
	answers("e-0", 404, "no Route matched")
	service, err := m.admin.Services.Create(ctx, &kongclient.Service{Name: kongclient.String("shop"), Host: kongclient.String("127.0.0.1"), Port: kongclient.Int(1)})
	if err != nil {
		t.Fatal(err)
	}
	route, plugin := m.route(t, "shop")
	route.Service = service
	if _, err := m.admin.Routes.Update(ctx, route); err != nil {
		t.Fatal(err)
	}
	answers("e-1", 200, `{"id":"e-1","routes":["shop"]}`)
	if got := m.sinks.got("shop"); len(got) != 1 || got[0].ID != "e-1" {
		t.Errorf("arrived: %v", got)
	}

	plugin.Config["routes"] = sendsTo("audit")
	plugin.Config["event_type"] = "audited"
	if _, err := m.admin.Plugins.Update(ctx, plugin); err != nil {
		t.Fatal(err)
	}
	answers("e-2", 200, `"routes":["audit"]`)
	if got := m.sinks.got("audit"); len(got) != 1 || got[0].Type != "audited" {
		t.Errorf("arrived: %v", got)
	}

	for config, want := range map[string]string{
		`{"timeout":"soon"}`:             "config.timeout: expected an integer",
		`{"ack":"maybe"}`:                "config.ack: expected one of: delivered, stored, none",
		`{"nosuch":1}`:                   "config.nosuch: unknown field",
		`{"routes":[{"name":"r"}]}`:      "config.routes: failed to validate item 1: ",
		`{"routes":"all"}`:               "config.routes: wrong type: expected array, got string",
		`{"max_event_bytes":1}`:          "config.max_event_bytes: value should be between 1024 and 67108864",
		`{"event_type":"a\nb"}`:          "config.event_type: invalid value: ",
		`{"forward_headers":"X-Tenant"}`: "config.forward_headers: expected an array",
	} {
		var wrong kongclient.Configuration
		if err := json.Unmarshal([]byte(config), &wrong); err != nil {
			t.Fatal(err)
		}
		_, err := m.admin.Plugins.Update(ctx, &kongclient.Plugin{ID: plugin.ID, Config: wrong})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", config, err, want)
		}
	}
	answers("e-3", 200, `"routes":["audit"]`)

	if err := m.admin.Plugins.Delete(ctx, plugin.ID); err != nil {
		t.Fatal(err)
	}
	answers("e-4", 502, "invalid response")
	if err := m.admin.Routes.Delete(ctx, route.ID); err != nil {
		t.Fatal(err)
	}
	answers("e-5", 404, "no Route matched")
}
