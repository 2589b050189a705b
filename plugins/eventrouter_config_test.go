package plugins_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/plugins"
)

func TestConfigsThatCannotBe(t *testing.T) {
	tests := []struct {
		name, config string
		want         []string // in the log
	}{
		{"ack stored without persistence", `{"ack":"stored"}`, []string{"ack: stored needs persistence"}},
		{"a wrong key of a destination", `{"routes":[{"name":"r","match":{},"destinations":[{"type":"memory","address":"a","topic":"nope"}]}]}`,
			[]string{"config.routes[0].destinations[0].topic: "}},
		{"all of it at once", `{"routes":[{"match":{},"destinations":[{"type":"memory"}]}]}`,
			[]string{"config.routes[0]", "name", "config.routes[0].destinations[0]", "address"}},
		{"routes that are no list", `{"routes":"all"}`, []string{"config.routes"}},
		{"a source that no event can have", `{"event_source":"://shop"}`, []string{"config.event_source: is no URI reference"}},
		{"a type that no event can have", `{"event_type":"a\nb"}`, []string{"config.event_type: has the control character U+000A"}},
		{"everything else at once, too", `{"routes":[{"name":"r"}],"ack":"stored","forward_headers":["host","a b"],"event_type":"\u0000","event_source":"%zz"}`,
			[]string{"config.routes[0].match", "config.ack: ", `config.forward_headers: \"host\"`, `config.forward_headers: \"a b\"`, "config.event_type: ", "config.event_source: "}},
		{"a header that cannot travel", `{"forward_headers":["connection"]}`, []string{"forward_headers", "connection"}},
		{"a destination that does not acknowledge", `{"routes":[{"name":"r","match":{},"destinations":[{"type":"memory","address":"a","silent":true}]}]}`,
			[]string{`route \"r\"`, "memory://a", "ack: delivered"}},
		{"a setting of the wrong type", `{"timeout":"soon"}`, []string{"timeout"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := newKong(t, plugins.Options{})
			if _, ok := k.start(t, test.config); ok {
				t.Fatal("started")
			}
			for _, want := range test.want {
				if !strings.Contains(k.log.String(), want) {
					t.Errorf("the log does not say %q: %s", want, k.log)
				}
			}
			if n := k.sinks.opened(); n != 0 {
				t.Errorf("%d sinks are left open", n)
			}
		})
	}
}

func TestConfigAsKongSendsIt(t *testing.T) {
	k := newKong(t, plugins.Options{})
	for _, config := range []string{
		`{"__seq__":3,"__plugin_id":"x","routes":null,"ack":null,"timeout":1e+4,"on_success":"respond","event_type":null,"event_source":null,"forward_headers":{},"max_event_bytes":null}`,
		`{"routes":{}}`,
		`{"routes":[]}`,
		``,
	} {
		if _, ok := k.start(t, config); !ok {
			t.Errorf("%s was not started: %s", config, k.log)
		}
	}
}

// Lua has no lists of its own and no integers beyond 2^53: an empty list comes
// as {}, at any depth, and 10^15 as 1e+15. Kong adds keys, and nulls for what
// is not set.
func TestRoutesAsKongSendsThem(t *testing.T) {
	k := newKong(t, plugins.Options{})
	id, ok := k.start(t, `{"timeout":5e+3,"forward_headers":{},"max_event_bytes":1.048576e+06,"routes":[
		{"name":"big","enabled":true,"description":null,"final":false,"dead_letter":null,"retry":{},
		 "match":{"type":"order.created","data.n":[1e+15]},
		 "destinations":[{"type":"memory","address":"a","headers":{},"retry":{"max_attempts":2.0},"timeout":null}]},
		{"name":"all","match":[],"destinations":[{"type":"memory","address":"b","headers":[]}]}]}`)
	if !ok {
		t.Fatal(k.log)
	}
	big := order("1")
	big.body = `{"n":1000000000000000}`
	if got := k.event(t, id, big); got.body != `{"id":"1","routes":["big","all"]}`+"\n" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if _, ok := k.start(t, `{"routes":[{"name":"r","match":{},"destinations":{}}]}`); ok || !strings.Contains(k.log.String(), "config.routes[0].destinations: needs at least one destination") {
		t.Errorf("no destinations at all: started %v, %s", ok, k.log)
	}
}

func TestCloseReleasesSinksAndWaitsForNobody(t *testing.T) {
	k := newKong(t, plugins.Options{})
	release := make(chan struct{})
	k.sinks.on("b", func(context.Context, *keg.Event) error { <-release; return nil })
	id, _ := k.start(t, `{`+routes+`,"ack":"none"}`)
	k.event(t, id, order("1"))
	start := time.Now()
	k.close(t, id) // would not return if it waited
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("Kong waited %v", took)
	}
	close(release)
	deadline := time.Now().Add(5 * time.Second)
	for k.sinks.opened() != 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if n := k.sinks.opened(); n != 0 || len(k.sinks.got("b")) != 1 {
		t.Errorf("%d sinks are open, b has %d events", n, len(k.sinks.got("b")))
	}
}
