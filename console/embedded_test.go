package console

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
	"github.com/kong/keg/outbox/embedded"
)

// What is read page by page while it is taken away must neither be left out nor
// come twice, on a store as a node has it.
func TestAWholeStoreOfDeadLettersIsWorkedOff(t *testing.T) {
	store, err := embedded.Open(t.TempDir(), embedded.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	const all, half = 1301, 650
	when := time.Now().Add(-time.Hour)
	entries := make([]*outbox.Entry, all)
	for i := range entries {
		entries[i] = died(i, orders, keg.ReasonExhausted, when, `{"n":1}`)
	}
	if err := store.Put(t.Context(), entries...); err != nil {
		t.Fatal(err)
	}
	audit := outbox.Queue{Route: "audit", Destination: "d"}
	address, _ := start(t, &Server{Node: &Node{Store: store, Republish: func(ctx context.Context, d *keg.DeadLetter) error {
		return store.Put(ctx, &outbox.Entry{Event: d.Event, Owed: []*outbox.Owed{{Queue: audit}}, Replaces: d.ID})
	}}})
	c := NewClient(address)
	t.Cleanup(c.Close)
	listed := 0
	for after := ""; ; {
		page, err := c.List(t.Context(), outbox.Filter{}, after, 400, false)
		if err != nil {
			t.Fatal(err)
		}
		listed += len(page.DeadLetters)
		if after = page.Next; after == "" {
			break
		}
	}
	if listed != all {
		t.Errorf("%d are listed", listed)
	}
	if p, err := c.Replay(t.Context(), Selection{Limit: half}, silent); err != nil || p.Done != half {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := c.Replay(t.Context(), Selection{ThroughRoutes: true}, silent); err != nil || p.Done != all-half || p.Failed != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	seen := map[string]bool{}
	for q, want := range map[outbox.Queue]int{orders: half, audit: all - half} {
		owed := 0
		for {
			claimed, err := store.Claim(t.Context(), q, 1000, 64<<20)
			if err != nil {
				t.Fatal(err)
			}
			if len(claimed) == 0 {
				break
			}
			owed += len(claimed)
			for _, d := range claimed {
				seen[d.Event.ID] = true
			}
		}
		if owed != want {
			t.Errorf("%d are owed in %v, not %d", owed, q, want)
		}
	}
	for i := range all {
		if !seen[fmt.Sprint(i)] {
			t.Fatalf("event %d is lost", i)
		}
	}
	if p, err := c.Drop(t.Context(), Selection{}, silent); err != nil || p.Done != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}
