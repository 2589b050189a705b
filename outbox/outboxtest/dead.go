package outboxtest

import (
	"errors"
	"fmt"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

var deadTests = map[string]func(*home){
	"a dead letter tells its story": func(t *home) {
		s := t.open()
		d := s.held(owe(1, "k"))
		d.Attempts, d.LastError, d.Status = 3, "it said 400", 400
		d.First, d.Last = time.Now().Add(-time.Hour), time.Now()
		s.die(keg.ReasonExhausted, d)
		got := s.dead(outbox.Filter{})
		if len(got) != 1 || got[0].ID == "" {
			t.Fatalf("dead letters: %v", got)
		}
		if time.Since(got[0].Died).Abs() > time.Minute {
			t.Errorf("it died at %v", got[0].Died)
		}
		t.check("its times", []int64{got[0].First.UnixMicro(), got[0].Last.UnixMicro(), got[0].Accepted.UnixMicro()},
			[]int64{d.First.UnixMicro(), d.Last.UnixMicro(), d.Accepted.UnixMicro()})
		one, err := s.DeadLetter(t.ctx(), got[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		t.check("the same", one, got[0])
		one.First, one.Last, one.Accepted, one.Died = time.Time{}, time.Time{}, time.Time{}, time.Time{}
		t.check("its story", one, &keg.DeadLetter{ID: one.ID, Event: event(1), Route: queue.Route, Destination: queue.Destination,
			Reason: keg.ReasonExhausted, Error: "it said 400", Status: 400, Attempts: 3})
		s.claimed(queue)
	},
	"dead and what is owed then are one step": func(t *home) {
		s := t.open()
		then := &outbox.Entry{Event: event("then"), Owed: []*outbox.Owed{{Queue: other, Key: "k", Hold: true}}}
		s.settle(&outbox.Settlement{Delivery: s.held(owe(1, "")), Outcome: outbox.Dead, Reason: keg.ReasonRefused, Then: then})
		if then.Owed[0].Held != nil {
			t.Fatal("what is owed then is not held")
		}
		t.check("dead", deadIDs(s.dead(outbox.Filter{})), []string{"1"})
		d := s.claimed(other, "then")[0]
		t.check("the event", d.Event, then.Event)
		t.check("the key", d.Key, "k")
	},
	"some are dead on arrival": func(t *home) {
		s := t.open()
		times := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
		want := &keg.DeadLetter{Reason: keg.ReasonUndecodable, Error: "no JSON", Status: 1, Attempts: 2, First: times, Last: times.Add(1e6),
			Accepted: times.Add(2e6), Died: times.Add(3e6)}
		given := *want
		s.put(&outbox.Entry{Event: event(1), Owed: []*outbox.Owed{{Dead: &given, Hold: true}, {Queue: queue}}})
		s.claimed(queue, 1)
		got := s.dead(outbox.Filter{})
		t.check("dead", deadIDs(got), []string{"1"})
		for _, moment := range []*time.Time{&got[0].First, &got[0].Last, &got[0].Accepted, &got[0].Died,
			&want.First, &want.Last, &want.Accepted, &want.Died} {
			*moment = moment.UTC()
		}
		want.ID, want.Event = got[0].ID, event(1)
		t.check("its story", got[0], want)

		s.put(&outbox.Entry{Event: event(2), Owed: []*outbox.Owed{{Queue: queue, Dead: &keg.DeadLetter{Reason: keg.ReasonSchema}}}})
		got = s.dead(outbox.Filter{Reason: keg.ReasonSchema})
		t.check("dead", deadIDs(got), []string{"2"})
		t.check("destination", []string{got[0].Route, got[0].Destination}, []string{queue.Route, queue.Destination})
		if time.Since(got[0].Died) > time.Minute {
			t.Errorf("it died at %v", got[0].Died)
		}
	},
	"filters select": func(t *home) {
		s := t.open()
		base := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
		for i := range 6 {
			q := outbox.Queue{Route: fmt.Sprint("r", i%2), Destination: fmt.Sprint("d", i%3)}
			s.put(&outbox.Entry{Event: event(i), Owed: []*outbox.Owed{{Queue: q, Dead: &keg.DeadLetter{
				Reason: []keg.Reason{keg.ReasonRefused, keg.ReasonSchema}[i/3], Died: base.Add(time.Duration(i) * time.Minute)}}}})
		}
		at := func(minutes int) time.Time { return base.Add(time.Duration(minutes) * time.Minute) }
		for name, test := range map[string]struct {
			f    outbox.Filter
			want []string
		}{
			"all":           {outbox.Filter{}, []string{"0", "1", "2", "3", "4", "5"}},
			"route":         {outbox.Filter{Route: "r1"}, []string{"1", "3", "5"}},
			"destination":   {outbox.Filter{Destination: "d2"}, []string{"2", "5"}},
			"reason":        {outbox.Filter{Reason: keg.ReasonSchema}, []string{"3", "4", "5"}},
			"since":         {outbox.Filter{Since: at(4)}, []string{"4", "5"}},
			"until":         {outbox.Filter{Until: at(2)}, []string{"0", "1"}},
			"all of them":   {outbox.Filter{Route: "r1", Destination: "d0", Reason: keg.ReasonSchema, Since: at(3), Until: at(4)}, []string{"3"}},
			"none":          {outbox.Filter{Route: "r9"}, []string{}},
			"an empty time": {outbox.Filter{Since: at(3), Until: at(3)}, []string{}},
		} {
			t.check(name, deadIDs(s.dead(test.f)), test.want)
		}
		dead, err := s.DeadLetters(t.ctx(), outbox.Filter{Route: "r1"}, "", 2)
		if err != nil {
			t.Fatal(err)
		}
		t.check("a first page", deadIDs(dead), []string{"1", "3"})
		if n, err := s.Drop(t.ctx(), dead[1].ID); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		dead, err = s.DeadLetters(t.ctx(), outbox.Filter{Route: "r1"}, dead[1].ID, 2)
		if err != nil {
			t.Fatal(err)
		}
		t.check("the page after one that is gone", deadIDs(dead), []string{"5"})
	},
	"drop and not found": func(t *home) {
		s := t.open()
		s.die(keg.ReasonRefused, s.held(owe(1, "")), s.held(owe(2, "")))
		ids := s.dead(outbox.Filter{})
		n, err := s.Drop(t.ctx(), ids[0].ID, "unknown", ids[0].ID, "", "\x00ä")
		if n != 1 || err != nil {
			t.Fatalf("dropped %d, %v", n, err)
		}
		for _, id := range []string{ids[0].ID, "unknown", "", "\x00ä", "99999999999999999999999999999"} {
			if _, err := s.DeadLetter(t.ctx(), id); !errors.Is(err, outbox.ErrNotFound) {
				t.Errorf("%q: %v", id, err)
			}
		}
		t.check("left", deadIDs(s.dead(outbox.Filter{})), []string{"2"})
		if n, err := s.Replay(t.ctx(), ids[0].ID); n != 0 || err != nil {
			t.Fatalf("replayed %d, %v", n, err)
		}
	},
}
