package outboxtest

import (
	"fmt"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

var orderTests = map[string]func(*home){
	"of a key only the oldest is handed out": func(t *home) {
		s := t.open()
		s.put(owe("a1", "a"), owe("a2", "a"), owe("b1", "b"), owe("a3", "a"), owe("b2", "b"), owe("none", ""))
		first := s.claim(queue)
		t.check("heads", len(first), 3)
		byID := map[string]*outbox.Delivery{}
		for _, d := range first {
			byID[d.Event.ID] = d
		}
		for _, id := range []string{"a1", "b1", "none"} {
			if byID[id] == nil {
				t.Fatalf("%s is missing among %v", id, idsOf(first))
			}
		}
		t.check("key", byID["a1"].Key, "a")
		s.end(outbox.Done, byID["a1"])
		a2 := s.claimed(queue, "a2")
		s.end(outbox.Done, byID["b1"], byID["none"])
		s.claimed(queue, "b2")
		s.end(outbox.Done, a2...)
		s.claimed(queue, "a3")
	},
	"heads come in the order in which they were stored": func(t *home) {
		s := t.open()
		for i := range 20 {
			s.put(owe(i, fmt.Sprint(100-i)))
		}
		for i, d := range s.claim(queue) {
			t.check("event", d.Event.ID, fmt.Sprint(i))
		}
	},
	"a head that waits holds back its own key alone": func(t *home) {
		s := t.open()
		s.put(owe("a1", "a"), owe("a2", "a"), owe("b1", "b"), owe("b2", "b"))
		d := s.claimed(queue, "a1", "b1")
		s.settle(&outbox.Settlement{Delivery: d[0], Outcome: outbox.Again, At: time.Now().Add(time.Hour)},
			&outbox.Settlement{Delivery: d[1], Outcome: outbox.Done})
		s.claimed(queue, "b2")
		s.put(owe("a3", "a"))
		s.claimed(queue)
	},
	"a head that is due again comes before those behind it": func(t *home) {
		s := t.open()
		s.put(owe("a1", "a"), owe("a2", "a"))
		d := s.claimed(queue, "a1")
		s.settle(&outbox.Settlement{Delivery: d[0], Outcome: outbox.Again, At: time.Now().Add(100 * time.Millisecond)})
		var got []*outbox.Delivery
		t.eventually("due", func() bool { got = s.claim(queue); return len(got) > 0 })
		t.check("head", idsOf(got), []string{"a1"})
		s.end(outbox.Return, got...)
		s.end(outbox.Done, s.claimed(queue, "a1")...)
		s.claimed(queue, "a2")
	},
	"a head that dies lets the next one pass": func(t *home) {
		s := t.open()
		s.put(owe("a1", "a"), owe("a2", "a"))
		s.die(keg.ReasonRefused, s.claimed(queue, "a1")...)
		s.claimed(queue, "a2")
	},
	"a key's next is not held while one before it is": func(t *home) {
		s := t.open()
		first := s.held(owe("a1", "a"))
		second, third := hold(owe("a2", "a")), hold(owe("b1", "b"))
		s.put(second)
		if second.Owed[0].Held != nil {
			t.Fatal("two of a key held at once")
		}
		s.claimed(queue)
		s.end(outbox.Done, first)
		s.end(outbox.Done, s.claimed(queue, "a2")...)
		s.put(third)
		if third.Owed[0].Held == nil {
			t.Fatal("not held, though nothing waits")
		}
		s.held(owe("a3", "a"))
	},
	"of one Put only a key's first is held": func(t *home) {
		s := t.open()
		entries := []*outbox.Entry{hold(owe("a1", "a")), hold(owe("a2", "a"))}
		s.put(entries...)
		if entries[0].Owed[0].Held == nil || entries[1].Owed[0].Held != nil {
			t.Fatal("the first is to be held, and it alone")
		}
	},
	"a key is its queue's own": func(t *home) {
		s := t.open()
		s.put(&outbox.Entry{Event: event(1), Owed: []*outbox.Owed{{Queue: queue, Key: "a"}, {Queue: other, Key: "a"}}})
		s.claimed(queue, 1)
		s.claimed(other, 1)
	},
	"long keys and strange ones are kept apart": func(t *home) {
		s := t.open()
		long := fmt.Sprintf("%010000d", 1)
		keys := []string{"a", "a\x00", "a\x00b", "\xff\xff", long, long + "2", " "}
		for i, key := range keys {
			s.put(owe(fmt.Sprint(i, "first"), key), owe(fmt.Sprint(i, "second"), key))
		}
		heads := s.claim(queue)
		t.check("heads", len(heads), len(keys))
		for i, d := range heads {
			t.check("key", d.Key, keys[i])
		}
	},
	"one key with a long line of events comes out in order": func(t *home) {
		s := t.open()
		const n = 500
		entries := make([]*outbox.Entry, n)
		for i := range n {
			entries[i] = owe(i, "a")
		}
		s.put(entries...)
		for i := range n {
			s.end(outbox.Done, s.claimed(queue, i)...)
		}
		s.claimed(queue)
	},
}
