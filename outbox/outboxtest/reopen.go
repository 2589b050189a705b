package outboxtest

import (
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// claimsAll claims until these events, in any order, are there: what a dead
// process held may come late.
func (s *node) claimsAll(q outbox.Queue, ids ...any) []*outbox.Delivery {
	s.t.Helper()
	var all []*outbox.Delivery
	s.t.eventually(fmt.Sprint("claimed ", ids), func() bool {
		all = append(all, s.claim(q)...)
		return len(all) >= len(ids)
	})
	want := map[string]int{}
	for _, id := range texts(ids) {
		want[id]++
	}
	got := map[string]int{}
	for _, d := range all {
		got[d.Event.ID]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Fatalf("claimed (-want +got):\n%s", diff)
	}
	return all
}

// again opens the store anew, killed or closed.
func (s *node) again(kill bool) *node {
	s.t.Helper()
	if kill {
		s.kill()
	} else {
		s.close()
	}
	return s.t.open()
}

var reopenTests = map[string]func(*home){
	"closed, it keeps everything": func(t *home) { keepsEverything(t, false) },
	"killed, it keeps everything": func(t *home) { keepsEverything(t, true) },
	"what was held is free when its process has closed": func(t *home) {
		s := t.open()
		s.held(owe(1, ""))
		s.put(owe(2, ""), owe("a1", "a"), owe("a2", "a"))
		s.claimed(queue, 2, "a1")
		s = s.again(false)
		s.claimsAll(queue, 1, 2, "a1")
	},
	"what was held is free when its process has died": func(t *home) {
		s := t.open()
		s.held(owe(1, ""))
		s.put(owe(2, ""), owe("a1", "a"), owe("a2", "a"))
		s.claimed(queue, 2, "a1")
		s = s.again(true)
		d := s.claimsAll(queue, 1, 2, "a1")
		s.end(outbox.Done, d...)
		s.claimed(queue, "a2")
	},
	"it may be opened many times": func(t *home) {
		s := t.open()
		for i := range 5 {
			s.put(owe(i, "a"))
			s = s.again(i%2 == 0)
		}
		for i := range 5 {
			s.end(outbox.Done, s.claimed(queue, i)...)
		}
		s.put(owe("last", ""))
		s.claimed(queue, "last")
	},
}

func keepsEverything(t *home, kill bool) {
	s := t.open()
	never := s.held(owe("never", "k"))
	s.settle(&outbox.Settlement{Delivery: never, Outcome: outbox.Again, At: time.Now().Add(time.Hour)})
	s.die(keg.ReasonExhausted, s.held(owe("dead", "")))
	s.put(&outbox.Entry{Event: event("both"), Owed: []*outbox.Owed{{Queue: queue}, {Queue: other, Key: "a"}}})
	soon := outbox.Queue{Route: "soon"}
	e := &outbox.Entry{Event: event("soon"), Owed: []*outbox.Owed{{Queue: soon}}}
	later := s.held(e)
	later.Attempts, later.LastError, later.Status = 1, "x", 500
	later.First, later.Last = time.Now().Add(-time.Hour), time.Now()
	due := time.Now().Add(300 * time.Millisecond)
	s.settle(&outbox.Settlement{Delivery: later, Outcome: outbox.Again, At: due})
	s.put(owe("behind", "k"), owe("big", "")) // a Put after the settles makes them durable
	dead := s.dead(outbox.Filter{})
	t.check("dead", deadIDs(dead), []string{"dead"})

	s = s.again(kill)
	d := s.claimsAll(queue, "both", "big")
	t.check("event", d[0].Event, event("both"))
	s.end(outbox.Done, d...)
	d = s.claimsAll(other, "both")
	t.check("event and key", []any{d[0].Event, d[0].Key}, []any{event("both"), "a"})
	t.check("dead", s.dead(outbox.Filter{}), dead)
	d = s.claimsAll(soon, "soon")
	if time.Now().Before(due) {
		t.Fatal("handed out before it was due")
	}
	t.story(d[0], later)
	s.claimed(queue) // one waits an hour, and one behind it
}
