package outboxtest

import (
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

var settleTests = map[string]func(*home){
	"an event is kept until its last delivery ends": func(t *home) {
		s := t.open()
		s.put(&outbox.Entry{Event: event(1), Owed: []*outbox.Owed{{Queue: queue}, {Queue: other}}})
		s.end(outbox.Done, s.claimed(queue, 1)...)
		d := s.claimed(other, 1)
		t.check("the event", d[0].Event, event(1))
		s.die(keg.ReasonRefused, d...)
		t.check("the dead letter's event", s.dead(outbox.Filter{})[0].Event, event(1))
	},
	"a done one is gone": func(t *home) {
		s := t.open()
		s.put(owe(1, ""), owe(2, ""))
		d := s.claimed(queue, 1, 2)
		s.end(outbox.Done, d[0])
		s.end(outbox.Return, d[1])
		s.claimed(queue, 2)
	},
	"one that is due later comes later, with its story": func(t *home) {
		s := t.open()
		d := s.held(owe(1, ""))
		d.Attempts, d.LastError, d.Status = 2, "it said 503", 503
		d.First, d.Last = time.Now().Add(-time.Second), time.Now()
		due := time.Now().Add(400 * time.Millisecond)
		s.settle(&outbox.Settlement{Delivery: d, Outcome: outbox.Again, At: due})
		got := s.claim(queue)
		if len(got) > 0 && time.Now().Before(due) {
			t.Fatal("handed out before it is due")
		}
		t.eventually("due", func() bool { got = append(got, s.claim(queue)...); return len(got) > 0 })
		if time.Now().Before(due) {
			t.Fatal("handed out before it is due")
		}
		t.story(got[0], d)
	},
	"the earlier due comes first": func(t *home) {
		s := t.open()
		a, b := s.held(owe("a", "")), s.held(owe("b", ""))
		now := time.Now()
		s.settle(&outbox.Settlement{Delivery: a, Outcome: outbox.Again, At: now.Add(-time.Millisecond)},
			&outbox.Settlement{Delivery: b, Outcome: outbox.Again, At: now.Add(-time.Hour)})
		t.check("both", len(s.claim(queue)), 2)
	},
	"a returned one is due at once, and keeps its story": func(t *home) {
		s := t.open()
		d := s.held(owe(1, ""))
		d.Attempts, d.LastError, d.First, d.Last = 1, "x", time.Now().Add(-time.Hour), time.Now()
		s.end(outbox.Return, d)
		t.story(s.claimed(queue, 1)[0], d)
	},
	"one that failed holds up no other without a key": func(t *home) {
		s := t.open()
		s.put(owe(1, ""), owe(2, ""), owe(3, ""))
		d := s.claimed(queue, 1, 2, 3)
		s.settle(&outbox.Settlement{Delivery: d[0], Outcome: outbox.Again, At: time.Now().Add(time.Hour)},
			&outbox.Settlement{Delivery: d[1], Outcome: outbox.Return}, &outbox.Settlement{Delivery: d[2], Outcome: outbox.Done})
		s.claimed(queue, 2)
	},
	"an Again may be settled again and again": func(t *home) {
		s := t.open()
		s.put(owe(1, ""))
		for i := range 20 {
			d := s.claimed(queue, 1)[0]
			t.check("attempts", d.Attempts, i)
			d.Attempts++
			s.settle(&outbox.Settlement{Delivery: d, Outcome: outbox.Again, At: time.Now().Add(-time.Second)})
		}
	},
}

// story compares what is stored of a delivery's attempts; times to a microsecond.
func (t *home) story(got, want *outbox.Delivery) {
	t.Helper()
	story := func(d *outbox.Delivery) []any {
		return []any{d.ID, d.Queue, d.Key, d.Attempts, d.LastError, d.Status, d.Event.ID,
			d.First.UnixMicro(), d.Last.UnixMicro(), d.Accepted.UnixMicro()}
	}
	t.check("its story", story(got), story(want))
}
