package sources

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/test/logtest"
)

func itemsOf(n int) []item {
	items := make([]item, n)
	for i := range items {
		items[i] = item{event: &keg.Event{ID: fmt.Sprint(i)}, at: location{topic: "t", record: true, partition: 1, offset: int64(i)}}
	}
	return items
}

func TestEventsAreTriedUntilTheyAreSafeAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logtest.Log
		fails := 5
		s := &store{judge: func(e *keg.Event) error {
			if e.ID == "1" || e.ID == "3" {
				if fails--; fails >= 0 {
					return &keg.BusyError{Problem: "full", After: 3 * time.Second}
				}
			}
			return nil
		}}
		h := &handover{in: s, log: log.Logger(), name: "n"}
		began := time.Now()
		if safe := h.settle(t.Context(), t.Context(), itemsOf(4), &complaint{log: log.Logger()}); safe != 4 {
			t.Errorf("%d are safe", safe)
		}
		if got := s.ids(); !slices.Equal(got, []string{"0", "2", "3", "1"}) && !slices.Equal(got, []string{"0", "2", "1", "3"}) {
			t.Errorf("they came as %v", got)
		}
		if waited := time.Since(began); waited < 6*time.Second || waited > 2*mostPause {
			t.Errorf("it waited %v, though it was asked for 3 s each time", waited)
		}
		if n := len(log.Lines("level=WARN")); n != 1 {
			t.Errorf("%d warnings of one trouble:\n%s", n, &log)
		}
		if n := len(log.Lines("events are taken again")); n != 1 {
			t.Errorf("the end is told %d times", n)
		}
	})
}

func TestWhatIsRefusedForGoodIsKeptAsADeadLetter(t *testing.T) {
	for name, test := range map[string]struct {
		err    error
		reason keg.Reason
	}{
		"no route":       {&keg.UnroutedError{}, keg.ReasonRefused},
		"by its schema":  {&keg.SchemaError{Route: "r"}, keg.ReasonSchema},
		"too large":      {&keg.TooLargeError{What: "event", Limit: 1, Unit: "bytes"}, keg.ReasonTooLarge},
		"a circle":       {&keg.LoopError{Hops: 9}, keg.ReasonRefused},
		"by destination": {keg.Permanent(errors.New("no")), keg.ReasonRefused},
	} {
		t.Run(name, func(t *testing.T) {
			s := &store{judge: func(e *keg.Event) error {
				if e.ID == "1" {
					return test.err
				}
				return nil
			}}
			h := &handover{in: s, log: new(logtest.Log).Logger()}
			items := itemsOf(3)
			items[1].event.Headers = keg.Headers{"keg-source-offset": {"made up"}, "a": {"b"}}
			if safe := h.settle(t.Context(), t.Context(), items, &complaint{log: h.log}); safe != 3 {
				t.Errorf("%d are safe", safe)
			}
			dead := s.letters()
			if len(dead) != 1 || dead[0].Reason != test.reason || dead[0].Event.ID != "1" || !strings.Contains(dead[0].Error, `topic "t", partition 1, offset 1: `) {
				t.Fatalf("%+v", dead)
			}
			if h := dead[0].Event.Headers; h.Get("keg-source-topic") != "t" || h.Get("keg-source-partition") != "1" || h.Get("keg-source-offset") != "1" || h.Get("a") != "b" {
				t.Errorf("headers %v", h)
			}
		})
	}
}

func TestADeadLetterThatCannotBeKeptIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := 3
		s := &store{
			judge: func(*keg.Event) error { return &keg.UnroutedError{} },
			bury: func(*keg.DeadLetter) error {
				if fails--; fails >= 0 {
					return errors.New("the disk is full")
				}
				return nil
			},
		}
		h := &handover{in: s, log: new(logtest.Log).Logger()}
		if safe := h.settle(t.Context(), t.Context(), itemsOf(2), &complaint{log: h.log}); safe != 2 || len(s.letters()) != 2 || len(s.ids()) != 0 {
			t.Errorf("%d safe, letters %v, events %v", safe, s.letters(), s.ids())
		}
	})
}

func TestAStoppedHandoverTellsWhatIsSafe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{judge: func(e *keg.Event) error {
			if e.ID >= "2" && e.ID != "4" {
				return errors.New("away")
			}
			return nil
		}}
		h := &handover{in: s, log: new(logtest.Log).Logger()}
		stop, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if safe := h.settle(stop, t.Context(), itemsOf(6), &complaint{log: h.log}); safe != 2 {
			t.Errorf("%d are safe, want the first two alone", safe)
		}
	})
}

func TestAnIntakeThatPanicsOrMiscountsHasNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		times := 0
		var last int
		in := intake(func(_ context.Context, events ...*keg.Event) keg.Receipts {
			switch times++; times {
			case 1:
				panic("s3cr3t")
			case 2:
				return nil
			}
			last = len(events)
			return make(keg.Receipts, len(events))
		})
		h := &handover{in: in, log: new(logtest.Log).Logger()}
		if safe := h.settle(t.Context(), t.Context(), itemsOf(3), &complaint{log: h.log}); safe != 3 || last != 3 {
			t.Errorf("%d are safe, %d in the last call", safe, last)
		}
	})
}

func TestCallsOutliveTheirSourceForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, cancel := context.WithCancel(t.Context())
		calls, done := outliving(stop, time.Minute)
		defer done()
		cancel()
		began := time.Now()
		<-calls.Done()
		if lasted := time.Since(began); lasted != time.Minute {
			t.Errorf("they lasted %v", lasted)
		}
	})
}

func TestATroubleIsToldAsOftenAsItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logtest.Log
		c := &complaint{log: log.Logger()}
		tell := func(text string, times int, every time.Duration) {
			for range times {
				c.tell("trouble", errors.New(text))
				time.Sleep(every)
			}
		}
		tell("a", 100, 100*time.Millisecond) // 10 s
		tell("b", 100, 100*time.Millisecond)
		tell("b", 61, time.Second)
		c.over("over")
		c.over("over")
		tell("b", 1, 0)
		if warnings, ends := len(log.Lines("level=WARN")), len(log.Lines("msg=over")); warnings != 4 || ends != 1 {
			t.Errorf("%d warnings, %d ends:\n%s", warnings, ends, &log)
		}
	})
}
