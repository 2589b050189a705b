package hub

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/router"
)

// inOrder is a table of one ordered route.
func inOrder(t testing.TB) *router.Table {
	t.Helper()
	table := all(t, "a")
	table.Routes()[0].Ordered = true
	return table
}

// keyed is the n-th event of a key.
func keyed(key string, n int) *keg.Event {
	e := event(fmt.Sprintf("%s-%d", key, n))
	e.Extensions = map[string]string{"partitionkey": key}
	return e
}

func TestAnOrderedRouteKeepsTheOrderOfAKeyWithoutAStore(t *testing.T) {
	for _, ack := range []keg.Ack{keg.AckDelivered, keg.AckNone} {
		t.Run(string(ack), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t, Options{})
				var mu sync.Mutex
				got := map[string][]string{}
				k.on("a", func(_ context.Context, e *keg.Event) error {
					time.Sleep(rand.N(10 * time.Millisecond))
					mu.Lock()
					defer mu.Unlock()
					key := e.Extensions["partitionkey"]
					got[key] = append(got[key], e.ID)
					return nil
				})
				p := k.port(t, PortOptions{Table: inOrder(t), Ack: ack})
				var events []*keg.Event
				want := map[string][]string{}
				for n := range 300 {
					e := keyed(fmt.Sprint("k", n%7), n)
					events = append(events, e)
					want[e.Extensions["partitionkey"]] = append(want[e.Extensions["partitionkey"]], e.ID)
				}
				for _, r := range p.Publish(t.Context(), events...) {
					if r.Err != nil {
						t.Errorf("%+v", r)
					}
				}
				if err := p.Close(t.Context()); err != nil {
					t.Error(err)
				}
				for key := range want {
					if !slices.Equal(want[key], got[key]) {
						t.Errorf("%s: %v", key, got[key])
					}
				}
				if len(k.turns.last) != 0 {
					t.Errorf("%d turns are left", len(k.turns.last))
				}
			})
		})
	}
}

func TestAFailingKeyHoldsBackNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Options{})
		k.on("a", func(ctx context.Context, e *keg.Event) error {
			if e.Extensions["partitionkey"] == "bad" {
				return hangs(ctx, e)
			}
			return nil
		})
		p := k.port(t, PortOptions{Table: inOrder(t), Timeout: 5 * time.Second})
		start := time.Now()
		var bad sync.WaitGroup
		for n := range 3 {
			bad.Go(func() {
				if r := p.Publish(t.Context(), keyed("bad", n))[0]; r.Err == nil {
					t.Errorf("%+v", r)
				}
			})
		}
		synctest.Wait()
		if r := p.Publish(t.Context(), keyed("good", 1))[0]; r.Err != nil || time.Since(start) != 0 {
			t.Errorf("%+v after %v", r, time.Since(start))
		}
		bad.Wait()
		k.on("a", nil)
		if r := p.Publish(t.Context(), keyed("bad", 4))[0]; r.Err != nil {
			t.Errorf("the key is held back for ever: %v", r.Err)
		}
		synctest.Wait()
		if len(k.turns.last) != 0 {
			t.Errorf("%d turns are left", len(k.turns.last))
		}
	})
}
