package outboxtest

import (
	"bytes"
	"context"
	"math"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

var putTests = map[string]func(*home){
	"an event comes back as it was": func(t *home) {
		s := t.open()
		before := time.Now()
		e := event(1)
		s.put(&outbox.Entry{Event: e, Owed: []*outbox.Owed{{Queue: queue}, {Queue: other, Key: "k"}}})
		for _, q := range []outbox.Queue{queue, other} {
			d := s.claimed(q, 1)[0]
			t.check("the event", d.Event, e)
			t.check("the queue", d.Queue, q)
			if d.Accepted.Before(before.Add(-time.Minute)) || d.Accepted.After(time.Now().Add(time.Minute)) {
				t.Errorf("accepted at %v", d.Accepted)
			}
			t.check("the rest", outbox.Delivery{Attempts: d.Attempts, First: d.First, Last: d.Last, LastError: d.LastError, Status: d.Status}, outbox.Delivery{})
			if len(d.ID) == 0 || bytes.ContainsFunc([]byte(d.ID), func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.Errorf("its id %q is not printable ASCII", d.ID)
			}
		}
	},
	"what nobody is owed is stored nowhere": func(t *home) {
		s := t.open()
		s.put(&outbox.Entry{Event: event(1)})
		s.put()
		t.check("ready", len(s.ready()), 0)
	},
	"a Put keeps nothing of the caller's event": func(t *home) {
		s := t.open()
		e := owe(1, "")
		s.put(e)
		clear(e.Event.Data)
		e.Event.ID = "changed"
		t.check("data", string(s.claimed(queue, 1)[0].Event.Data), `{"n":"1"}`)
	},
	"the oldest are handed out first, and each once": func(t *home) {
		s := t.open()
		for i := range 10 {
			s.put(owe(2*i, ""), owe(2*i+1, ""))
		}
		t.check("first", idsOf(s.claimUpTo(queue, 3, math.MaxInt64)), []string{"0", "1", "2"})
		t.check("second", idsOf(s.claimUpTo(queue, 2, math.MaxInt64)), []string{"3", "4"})
		t.check("rest", len(s.claim(queue)), 15)
		t.check("nothing", len(s.claim(queue)), 0)
		t.check("another queue", len(s.claim(other)), 0)
	},
	"a claim stops at its bytes, but never before the first": func(t *home) {
		s := t.open()
		for i := range 5 {
			e := owe(i, "")
			e.Event.Data = bytes.Repeat([]byte("x"), 1000)
			s.put(e)
		}
		t.check("1 byte", idsOf(s.claimUpTo(queue, 10, 1)), []string{"0"})
		t.check("1,001 bytes", idsOf(s.claimUpTo(queue, 10, 1001)), []string{"1", "2"})
		t.check("1,000 bytes", idsOf(s.claimUpTo(queue, 10, 1000)), []string{"3"})
	},
	"what is held at once is handed to nobody else": func(t *home) {
		s := t.open()
		e := hold(owe(1, ""))
		s.put(e)
		d := e.Owed[0].Held
		if d == nil {
			t.Fatal("not held, though nothing waits")
		}
		t.check("the event", d.Event, e.Event)
		t.check("the queue", d.Queue, queue)
		t.check("nothing", len(s.claim(queue)), 0)
		s.end(outbox.Done, d)
		t.check("nothing", len(s.claim(queue)), 0)
	},
	"what was not asked for is not held": func(t *home) {
		s := t.open()
		e := owe(1, "")
		s.put(e)
		if e.Owed[0].Held != nil {
			t.Fatal("held")
		}
	},
	"nothing is held while something before it waits": func(t *home) {
		s := t.open()
		first, second := owe(1, ""), hold(owe(2, ""))
		s.put(first, second)
		third := hold(owe(3, ""))
		s.put(third)
		if second.Owed[0].Held != nil || third.Owed[0].Held != nil {
			t.Fatal("held before one that came earlier")
		}
		s.end(outbox.Done, s.claimed(queue, 1, 2, 3)...)
		s.held(owe(4, "")) // and the way is free again
		e := &outbox.Entry{Event: event(5), Owed: []*outbox.Owed{{Queue: queue, Hold: true}, {Queue: other, Hold: true}}}
		s.put(e)
		if e.Owed[0].Held == nil || e.Owed[1].Held == nil {
			t.Fatal("held ones do not wait, and other queues are others")
		}
	},
	"a returned one waits again": func(t *home) {
		s := t.open()
		s.end(outbox.Return, s.held(owe(1, "")))
		second := hold(owe(2, ""))
		s.put(second)
		if second.Owed[0].Held != nil {
			t.Fatal("held before one that came earlier")
		}
		s.claimed(queue, 1, 2)
	},
	"events of every size are kept": func(t *home) {
		s := t.open()
		var want []*keg.Event
		for i, size := range []int{0, 1, 1000, 100_000, 5 << 20} {
			e := owe(i, "")
			e.Event.Data = bytes.Repeat([]byte{byte(i)}, size)
			want = append(want, e.Event)
			s.put(e)
		}
		none := owe(len(want), "")
		none.Event.Data = nil
		s.put(none)
		want = append(want, none.Event)
		for i, d := range s.claim(queue) {
			t.check("event", d.Event, want[i])
		}
	},
	"a Put whose context has ended says so, and holds nothing": func(t *home) {
		s := t.open()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		e := hold(owe(1, ""))
		if err := s.Put(ctx, e); err == nil {
			t.Fatal("no error")
		}
		if e.Owed[0].Held != nil {
			t.Fatal("held after an error")
		}
	},
	"a healthy store says so": func(t *home) {
		if err := t.open().Check(); err != nil {
			t.Fatal(err)
		}
	},
}
