package hub

import (
	"fmt"
	"testing"
	"time"

	"github.com/kong/keg"
)

// Each of Kong's workers has an instance of its own of one plugin, and Kong's
// plugin server closes those that have been idle, in any order.
func TestAPluginsTableStaysForAsLongAsAnyWorkersPort(t *testing.T) {
	for name, closing := range map[string]int{"the one that came first is closed": 0, "the one that came last is closed": 2} {
		t.Run(name, func(t *testing.T) {
			k := keeping(t, t.TempDir(), Options{})
			k.Start()
			var ports []*Port
			for range 3 {
				ports = append(ports, k.port(t, PortOptions{Table: all(t, "a"), Scope: "plugin-7"}))
			}
			if err := ports[closing].Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			k.sweepScopes(t.Context(), time.Now().Add(time.Hour))
			if r := ports[1].Publish(t.Context(), event("1"))[0]; r.Err != nil {
				t.Fatal(r.Err)
			}
			until(t, "it is delivered", func() bool { return len(k.got("a")) == 1 })
			until(t, "it is settled", func() bool { return k.Stats().Delivered == 1 })
			for i, p := range ports {
				if i != closing {
					if err := p.Close(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			k.sweepScopes(t.Context(), time.Now().Add(time.Hour))
			until(t, "no port is left, and nothing waits: it goes", func() bool { return k.opens("a") == 0 })
			if len(k.scopes.latest)+len(k.scopes.open)+len(k.scopes.left) != 0 {
				t.Errorf("%+v", &k.scopes)
			}
		})
	}
}

func TestTheTableOfAPluginIsThatOfItsLatestInstance(t *testing.T) {
	k := keeping(t, t.TempDir(), Options{})
	k.Start()
	k.on("a", fails(keg.Unreachable(errDown)))
	old := k.port(t, PortOptions{Table: parse(t, "routes: [{name: r, match: {}, destinations: [{name: x, type: fake, address: a}]}]"), Scope: "plugin-7"})
	for i := range 5 {
		if r := old.Publish(t.Context(), event(fmt.Sprint(i)))[0]; r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	k.port(t, PortOptions{Table: parse(t, "routes: [{name: r, match: {}, destinations: [{name: x, type: fake, address: b}]}]"), Scope: "plugin-7"})
	until(t, "all go where the plugin leads now", func() bool { return len(k.got("b")) == 5 })
	if err := old.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "the old table's sinks close", func() bool { return k.opens("a") == 0 })
}

func TestAPortWithoutAScopeLeavesNoTableBehind(t *testing.T) {
	k := keeping(t, t.TempDir(), Options{})
	p := k.port(t, PortOptions{Table: all(t, "a"), Ack: keg.AckDelivered})
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "its sinks close", func() bool { return k.opens("a") == 0 })
}
