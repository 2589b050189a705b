package plugins_test

import (
	"testing"

	wire "github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg/plugins"
)

func known(r request) request {
	r.consumer = &wire.Consumer{Id: "c-1", Username: "alice"}
	r.route = &wire.Route{Id: "r-1", Name: "orders", Paths: []string{"/events"}}
	r.service = &wire.Service{Id: "s-1"}
	return r
}

func TestWhatKongKnowsIsAskedOnlyWhereItIsWanted(t *testing.T) {
	k := newKong(t, plugins.Options{})
	asks := func(config string, want ...string) {
		t.Helper()
		id, _ := k.start(t, config)
		if diff := cmp.Diff(want, k.event(t, id, known(order("1"))).asked[3:]); diff != "" {
			t.Errorf("%s: %s", config, diff)
		}
	}
	asks(`{"event_source":"s","attributes":["service"]}`, "kong.router.get_service")
	asks(`{"event_source":"s","attributes":["client_ip","service","consumer","route"]}`,
		"kong.client.get_consumer", "kong.router.get_route", "kong.router.get_service", "kong.client.get_forwarded_ip")
	asks(`{"event_source":"s","handshake":{"allowed_origins":["*"]}}`, "kong.nginx.get_var request")
}

func TestWhatKongKnowsBecomesExtensions(t *testing.T) {
	k := newKong(t, plugins.Options{})
	id, ok := k.start(t, `{`+everything+`,"attributes":["consumer","route","service","client_ip"]}`)
	if !ok {
		t.Fatal(k.log)
	}
	forged := order("1").with("ce-kongconsumer", "admin").with("ce-kongclientip", "10.0.0.1").with("ce-tenant", "7")
	if got := k.event(t, id, known(forged)); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if diff := cmp.Diff(map[string]string{
		"kongconsumer": "alice", "kongroute": "orders", "kongservice": "s-1", "kongclientip": "192.0.2.7", "tenant": "7",
	}, k.sinks.got("a")[0].Extensions); diff != "" {
		t.Error(diff)
	}
	if got := k.event(t, id, forged); got.status != 200 { // nobody has authenticated, and there is no route
		t.Fatalf("%d %s", got.status, got.body)
	}
	if diff := cmp.Diff(map[string]string{"kongclientip": "192.0.2.7", "tenant": "7"}, k.sinks.got("a")[1].Extensions); diff != "" {
		t.Error(diff)
	}
}

// Routes may trust these names, so no sender has them, whatever the content
// mode and whether or not the instance asks Kong.
func TestWhatKongKnowsCannotBeForged(t *testing.T) {
	const member = `"kongconsumer":"admin","kongroute":"admin","kongservice":"admin","kongclientip":"10.0.0.1"`
	const claimed = `{"specversion":"1.0","id":"1","source":"s","type":"order.created",` + member + `}`
	headers := order("1")
	for _, name := range []string{"ce-kongconsumer", "ce-kongroute", "ce-kongservice", "ce-kongclientip", "kongconsumer", "x-event-kongconsumer"} {
		headers = headers.with(name, "admin")
	}
	for config, want := range map[string]map[string]string{
		`{` + everything + `}`:                            nil,
		`{` + everything + `,"attributes":["consumer"]}`:  {"kongconsumer": "alice"},
		`{` + everything + `,"attributes":["client_ip"]}`: {"kongclientip": "192.0.2.7"},
	} {
		k := newKong(t, plugins.Options{})
		id, _ := k.start(t, config)
		for name, r := range map[string]request{
			"binary":     headers,
			"structured": structured("application/cloudevents+json", claimed),
			"batch":      structured(batch, "["+claimed+"]"),
			"plain":      structured("application/json", `{`+member+`}`).with("ce-kongconsumer", "admin"),
		} {
			before := len(k.sinks.got("a"))
			if got := k.event(t, id, known(r)); got.status != 200 {
				t.Fatalf("%s: %d %s", name, got.status, got.body)
			}
			got := k.sinks.got("a")[before].Extensions
			for name, value := range got {
				if value != want[name] {
					t.Errorf("%s, %s: %s is %q", config, name, name, value)
				}
			}
			for name, value := range want {
				if got[name] != value {
					t.Errorf("%s, %s: %s is %q, want %q", config, name, name, got[name], value)
				}
			}
		}
	}
}

// A route of the node can tell Kong's consumers apart.
func TestRoutesMatchWhatKongKnows(t *testing.T) {
	k := newKong(t, plugins.Options{})
	id, _ := k.start(t, `{"attributes":["consumer"],"routes":[
		{"name":"alice","match":{"kongconsumer":"alice"},"destinations":[{"type":"memory","address":"a"}]},
		{"name":"nobody","match":{"kongconsumer":{"exists":false}},"destinations":[{"type":"memory","address":"b"}]}]}`)
	if got := k.event(t, id, known(order("1"))); got.body != `{"id":"1","routes":["alice"]}`+"\n" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := k.event(t, id, order("2").with("ce-kongconsumer", "alice")); got.body != `{"id":"2","routes":["nobody"]}`+"\n" {
		t.Errorf("%d %s", got.status, got.body)
	}
}
