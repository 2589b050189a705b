package outboxtest

import (
	"sync"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// once is an entry that is stored once within the window.
func once(id any, window time.Duration) *outbox.Entry {
	e := owe(id, "")
	e.Dedupe = window
	return e
}

var dedupeTests = map[string]func(*home){
	"a second one within the window is a duplicate": func(t *home) {
		s := t.open()
		a, b, c := once(1, time.Hour), hold(once(1, time.Hour)), once(1, time.Hour)
		s.put(a)
		s.put(b, once(2, time.Hour))
		c.Event.Source = "another"
		s.put(c)
		t.check("duplicates", []bool{a.Duplicate, b.Duplicate, c.Duplicate}, []bool{false, true, false})
		if b.Owed[0].Held != nil {
			t.Fatal("a duplicate is held")
		}
		s.end(outbox.Done, s.claimed(queue, 1, 2, 1)...)
		again := once(1, time.Hour)
		s.put(again)
		t.check("after it was delivered", again.Duplicate, true)
		s.claimed(queue)
	},
	"two of one Put count": func(t *home) {
		s := t.open()
		a, b := once(1, time.Hour), once(1, time.Hour)
		s.put(a, b)
		t.check("duplicates", []bool{a.Duplicate, b.Duplicate}, []bool{false, true})
		s.claimed(queue, 1)
	},
	"what is beside a duplicate is one, and no other": func(t *home) {
		s := t.open()
		for round, duplicate := range []bool{false, true} {
			a, story, another, b, own := once(1, time.Hour), owe("story", ""), hold(owe("another", "")), owe("b", ""), owe("own", "")
			story.Beside, another.Beside, own.Beside = true, true, true
			story.Owed[0].Dead = &keg.DeadLetter{Reason: keg.ReasonSchema}
			s.put(a, story, another, b, own)
			t.check("duplicates", []bool{a.Duplicate, story.Duplicate, another.Duplicate, b.Duplicate, own.Duplicate},
				[]bool{duplicate, duplicate, duplicate, false, false})
			if duplicate && another.Owed[0].Held != nil {
				t.Fatal("a duplicate is held")
			}
			want := []any{"b", "own"}
			if round == 0 {
				want = []any{1, "another", "b", "own"}
			}
			s.end(outbox.Done, s.claimed(queue, want...)...)
			dead, err := s.DeadLetters(t.Context(), outbox.Filter{}, "", 10)
			t.check("dead letters", len(dead), 1)
			t.check("error", err, nil)
		}
		first := owe(9, "")
		first.Beside = true // nothing is before it
		s.put(once(2, time.Hour))
		s.put(first, once(2, time.Hour))
		t.check("the first of a Put", first.Duplicate, false)
	},
	"without a window every event is stored": func(t *home) {
		s := t.open()
		s.put(owe(1, ""), owe(1, ""))
		s.put(once(1, 0))
		s.claimed(queue, 1, 1, 1)
	},
	"source and id are not run together": func(t *home) {
		s := t.open()
		a, b := once("b", time.Hour), once("ab", time.Hour)
		a.Event.Source, b.Event.Source = "sa", "s"
		s.put(a, b)
		t.check("duplicates", []bool{a.Duplicate, b.Duplicate}, []bool{false, false})
	},
	"the window ends": func(t *home) {
		s := t.open()
		const window = 300 * time.Millisecond
		start := time.Now()
		s.put(once(1, window))
		stored := 1
		t.eventually("the window's end", func() bool {
			e := once(1, window)
			s.put(e)
			if !e.Duplicate {
				stored++
				return true
			}
			return false
		})
		if took := time.Since(start); took < window/2 {
			t.Errorf("it ended after %v", took)
		}
		t.check("stored", len(s.claim(queue)), stored)
	},
	"of many at once one is stored": func(t *home) {
		s := t.open()
		var waiting sync.WaitGroup
		entries := make([]*outbox.Entry, 64)
		for i := range entries {
			entries[i] = once(i%4, time.Hour)
			waiting.Go(func() {
				if err := s.Put(t.ctx(), entries[i]); err != nil {
					t.Errorf("Put: %v", err)
				}
			})
		}
		waiting.Wait()
		fresh := 0
		for _, e := range entries {
			if !e.Duplicate {
				fresh++
			}
		}
		t.check("fresh", fresh, 4)
		t.check("stored", len(s.claim(queue)), 4)
	},
	"what was seen is seen after a restart": func(t *home) {
		s := t.open()
		s.put(once(1, time.Hour))
		s.kill()
		s = t.open()
		e := once(1, time.Hour)
		s.put(e)
		t.check("duplicate", e.Duplicate, true)
	},
}
