package outboxtest

import (
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

var replayTests = map[string]func(*home){
	"a replayed one is owed anew": func(t *home) {
		s := t.open()
		s.put(&outbox.Entry{Event: event(1), Owed: []*outbox.Owed{{Queue: other, Key: "k", Hold: true}}})
		s.put(&outbox.Entry{Event: event(2), Owed: []*outbox.Owed{{Queue: other, Dead: &keg.DeadLetter{Reason: keg.ReasonSchema, Accepted: time.Now().Add(-time.Hour)}}}})
		s.end(outbox.Done, s.claim(other)...)
		s.put(&outbox.Entry{Event: event(3), Owed: []*outbox.Owed{{Queue: other, Key: "k"}}})
		for _, d := range s.claim(other) {
			d.Attempts, d.First, d.Last, d.LastError, d.Status = 3, time.Now(), time.Now(), "x", 400
			s.die(keg.ReasonExhausted, d)
		}
		before := time.Now()
		dead := s.dead(outbox.Filter{})
		var ids []string
		for _, d := range dead {
			ids = append(ids, d.ID, d.ID)
		}
		n, err := s.Replay(t.ctx(), append(ids, "unknown")...)
		if n != len(dead) || err != nil {
			t.Fatalf("replayed %d of %d, %v", n, len(dead), err)
		}
		t.check("left", len(s.dead(outbox.Filter{})), 0)
		got := s.claim(other)
		t.check("owed", len(got), len(dead))
		for _, d := range got {
			t.check("queue", d.Queue, other)
			t.check("event", d.Event, event(d.Event.ID))
			t.check("attempts", []any{d.Attempts, d.First.IsZero(), d.Last.IsZero(), d.LastError, d.Status}, []any{0, true, true, "", 0})
			if d.Accepted.Before(before.Add(-time.Minute)) {
				t.Errorf("its age began at %v", d.Accepted)
			}
		}
		s.end(outbox.Done, got...)
		s.claimed(other)
	},
	"what was never owed to a destination stays a dead letter": func(t *home) {
		s := t.open()
		s.put(&outbox.Entry{Event: event(1), Owed: []*outbox.Owed{{Dead: &keg.DeadLetter{Reason: keg.ReasonUndecodable}}}})
		dead := s.dead(outbox.Filter{})
		n, err := s.Replay(t.ctx(), dead[0].ID)
		if n != 0 || err != nil {
			t.Fatalf("replayed %d, %v", n, err)
		}
		t.check("left", s.dead(outbox.Filter{}), dead)
		t.check("ready", len(s.ready()), 0)
	},
	"a replay comes after what waits for its key": func(t *home) {
		s := t.open()
		s.put(owe("a1", "a"), owe("a2", "a"))
		s.die(keg.ReasonRefused, s.claimed(queue, "a1")...)
		if n, err := s.Replay(t.ctx(), s.dead(outbox.Filter{})[0].ID); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		s.end(outbox.Done, s.claimed(queue, "a2")...)
		s.claimed(queue, "a1")
	},
	"an entry that replaces a dead letter takes its place in one step": func(t *home) {
		s := t.open()
		s.die(keg.ReasonNoDestination, s.held(owe(1, "")))
		e := owe("1 again", "")
		e.Replaces = s.dead(outbox.Filter{})[0].ID
		s.put(e)
		t.check("left", len(s.dead(outbox.Filter{})), 0)
		s.claimed(queue, "1 again")
	},
}
