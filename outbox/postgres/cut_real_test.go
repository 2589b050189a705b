//go:build real

package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

func TestACutAfterTheCommitDoublesNothing(t *testing.T) {
	for name, test := range map[string]struct {
		tag  string
		make func(i int) []*outbox.Entry
	}{
		"one event": {"SELECT 1", func(i int) []*outbox.Entry { return []*outbox.Entry{entry(i, true)} }},
		"keys": {"SELECT 1", func(i int) []*outbox.Entry {
			e := entry(i, true)
			e.Owed[0].Key = fmt.Sprint(i)
			return []*outbox.Entry{e}
		}},
		"with a duplicate": {"COMMIT", func(i int) []*outbox.Entry {
			first, second := entry(i, true), entry(i, true)
			first.Dedupe, second.Dedupe = time.Hour, time.Hour
			return []*outbox.Entry{first, second}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			direct := newSchema(t)
			p, through := newProxy(t, direct)
			s := opened(t, through, Options{})
			const rounds = 10
			var returned []*outbox.Delivery
			for i := range rounds {
				p.arm(test.tag, false)
				entries := test.make(i)
				if err := s.Put(ctxOf(t), entries...); err != nil {
					t.Fatalf("round %d: the outcome was to be found out: %v", i, err)
				}
				if entries[0].Duplicate || entries[0].Owed[0].Held == nil {
					t.Fatalf("round %d: it is stored and held, but the caller is not told: duplicate %v", i, entries[0].Duplicate)
				}
				if len(entries) > 1 && !entries[1].Duplicate {
					t.Fatalf("round %d: the second is not a duplicate", i)
				}
				if p.count() != i+1 {
					t.Fatalf("round %d: the connection was cut %d times", i, p.count())
				}
				if i%2 == 0 {
					returned = append(returned, entries[0].Owed[0].Held)
				}
			}
			for _, d := range returned {
				settleOne(t, s, d, outbox.Return)
			}
			for _, table := range []string{"events", "deliveries"} {
				if n := query[int](t, direct, "SELECT count(*) FROM "+table); n != rounds {
					t.Errorf("%d rows of %s for %d events", n, table, rounds)
				}
			}
			if claimed := claim(t, s); len(claimed) != rounds/2 {
				t.Errorf("%d were to be handed out, %d are", rounds/2, len(claimed))
			}
		})
	}
}

func TestAnOutcomeThatCannotBeFoundOutHoldsNothing(t *testing.T) {
	direct := newSchema(t)
	p, through := newProxy(t, direct)
	s := opened(t, through, Options{})
	if err := s.Put(ctxOf(t), entry("before", false)); err != nil {
		t.Fatal(err)
	}
	p.arm("SELECT 1", true)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	e := entry("in doubt", true)
	err := s.Put(ctx, e)
	if err == nil || e.Owed[0].Held != nil {
		t.Fatalf("there was no way to know: %v, held %v", err, e.Owed[0].Held)
	}
	var unavailable *outbox.UnavailableError
	began := time.Now()
	if err := s.Put(ctxOf(t), entry("refused", false)); !errors.As(err, &unavailable) {
		t.Fatalf("a database that is away: %v", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the refusal took %v", took)
	}
	if s.Check() == nil {
		t.Error("the store says that it is well")
	}
	p.admit()
	eventually(t, "well again", func() bool { return s.Check() == nil })
	if err := s.Put(ctxOf(t), entry("after", false)); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	eventually(t, "what was in doubt is handed out", func() bool {
		for _, d := range claim(t, s) {
			got[d.Event.ID]++
		}
		return len(got) == 3
	})
	if got["before"] != 1 || got["in doubt"] != 1 || got["after"] != 1 {
		t.Fatal(got)
	}
}

func TestACutAfterAClaimLeavesNothingHeld(t *testing.T) {
	direct := newSchema(t)
	p, through := newProxy(t, direct)
	s := opened(t, through, Options{})
	if err := s.Put(ctxOf(t), entry(1, false)); err != nil {
		t.Fatal(err)
	}
	p.arm("SELECT 1", false)
	if _, err := s.Claim(ctxOf(t), theQueue, 10, math.MaxInt64); err == nil {
		t.Fatal("the answer was lost, and it was not told")
	}
	eventually(t, "handed out again", func() bool {
		claimed, err := s.Claim(ctxOf(t), theQueue, 10, math.MaxInt64)
		return err == nil && len(claimed) == 1
	})
}

func TestACutAfterASettleSettlesOnce(t *testing.T) {
	direct := newSchema(t)
	p, through := newProxy(t, direct)
	s := opened(t, through, Options{})
	for i := range 5 {
		e := entry(i, true)
		e.Owed = append(e.Owed, &outbox.Owed{Queue: outbox.Queue{Destination: "other"}, Hold: true})
		if err := s.Put(ctxOf(t), e); err != nil {
			t.Fatal(err)
		}
		p.arm("COMMIT", false)
		if err := s.Settle(ctxOf(t), &outbox.Settlement{Delivery: e.Owed[0].Held, Outcome: outbox.Dead, Reason: keg.ReasonRefused, Then: &outbox.Entry{Event: entry("then", false).Event, Owed: []*outbox.Owed{{Queue: outbox.Queue{Destination: "then"}}}}},
			&outbox.Settlement{Delivery: e.Owed[1].Held, Outcome: outbox.Done}); err != nil {
			t.Fatal(err)
		}
		if p.count() != i+1 {
			t.Fatalf("cut %d times", p.count())
		}
	}
	for table, want := range map[string]int{"dead": 5, "deliveries": 5, "events": 5} {
		if n := query[int](t, direct, "SELECT count(*) FROM "+table); n != want {
			t.Errorf("%d rows of %s, not %d", n, table, want)
		}
	}
}

func claim(t testing.TB, s *Store) []*outbox.Delivery {
	t.Helper()
	claimed, err := s.Claim(ctxOf(t), theQueue, 1000, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	return claimed
}

func settleOne(t testing.TB, s *Store, d *outbox.Delivery, outcome outbox.Outcome) {
	t.Helper()
	if err := s.Settle(ctxOf(t), &outbox.Settlement{Delivery: d, Outcome: outcome, Reason: keg.ReasonRefused}); err != nil {
		t.Fatal(err)
	}
}
