package outboxtest

import (
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// changes waits until Changed receives and queue is ready. There may be signals
// too many, but none too few.
func (s *node) changes(what string) {
	s.t.Helper()
	deadline := time.After(patience)
	for {
		queues, again, err := s.Ready(s.t.ctx())
		if err != nil {
			s.t.Fatal(err)
		}
		if len(queues) > 0 {
			return
		}
		timer := time.NewTimer(time.Until(again))
		if again.IsZero() {
			timer.Stop()
		}
		select {
		case <-s.Changed():
		case <-timer.C:
		case <-deadline:
			s.t.Fatalf("%s: nothing is ready, and nobody was told", what)
		}
		timer.Stop()
	}
}

// quiet takes the signal that may be there.
func (s *node) quiet() {
	select {
	case <-s.Changed():
	default:
	}
}

var signalTests = map[string]func(*home){
	"Ready names the queues with something to claim": func(t *home) {
		s := t.open()
		t.check("ready", len(s.ready()), 0)
		e := owe(1, "")
		e.Owed = append(e.Owed, &outbox.Owed{Queue: other, Key: "a"})
		s.put(e)
		t.check("ready", len(s.ready()), 2)
		d := s.claimed(other, 1)
		t.check("ready", s.ready(), []outbox.Queue{queue})
		s.claimed(queue, 1)
		t.check("ready", len(s.ready()), 0)
		s.put(&outbox.Entry{Event: event(2), Owed: []*outbox.Owed{{Queue: other, Key: "a"}}})
		s.claimed(other)
		t.check("one whose turn has not come is not ready", len(s.ready()), 0)
		s.end(outbox.Done, d...)
		t.check("ready", s.ready(), []outbox.Queue{other})
	},
	"Changed tells of every way to become ready": func(t *home) {
		s := t.open()
		s.quiet()
		s.put(owe("a1", "a"))
		s.changes("put")
		d := s.claimed(queue, "a1")
		s.put(owe("a2", "a"))
		s.claimed(queue)
		s.quiet()
		s.end(outbox.Done, d...)
		s.changes("the key's next")
		d = s.claimed(queue, "a2")
		s.quiet()
		s.end(outbox.Return, d...)
		s.changes("returned")
		d = s.claimed(queue, "a2")
		s.quiet()
		s.settle(&outbox.Settlement{Delivery: d[0], Outcome: outbox.Again, At: time.Now().Add(200 * time.Millisecond)})
		s.changes("due again")
		d = s.claimed(queue, "a2")
		s.quiet()
		s.settle(&outbox.Settlement{Delivery: d[0], Outcome: outbox.Dead, Reason: keg.ReasonRefused, Then: owe("then", "")})
		s.changes("owed then")
		s.end(outbox.Done, s.claimed(queue, "then")...)
		s.quiet()
		if _, err := s.Replay(t.ctx(), s.dead(outbox.Filter{})[0].ID); err != nil {
			t.Fatal(err)
		}
		s.changes("replayed")
		s.claimed(queue, "a2")
	},
	"Ready says when to ask again": func(t *home) {
		s := t.open()
		d := s.held(owe(1, ""))
		due := time.Now().Add(time.Minute)
		s.settle(&outbox.Settlement{Delivery: d, Outcome: outbox.Again, At: due})
		queues, again, err := s.Ready(t.ctx())
		if err != nil || len(queues) > 0 {
			t.Fatal(queues, err)
		}
		if again.IsZero() || again.After(due.Add(time.Second)) {
			t.Fatalf("ask again at %v, though one is due at %v", again, due)
		}
	},
}
