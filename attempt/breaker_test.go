package attempt_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/attempt"
)

var errRefused = keg.Unreachable(errors.New("connection refused"))

// try makes one attempt that meets err, and reports whether it was allowed.
func try(b *attempt.Breaker, r attempt.Result) bool {
	p, ok, _ := b.Enter()
	if ok {
		b.Leave(p, r, errRefused)
	}
	return ok
}

// opened is a breaker that has just opened.
func opened(t *testing.T) *attempt.Breaker {
	t.Helper()
	b := new(attempt.Breaker)
	for i := range 3 {
		if !try(b, attempt.Silent) {
			t.Fatalf("attempt %d was not allowed", i+1)
		}
	}
	if b.Status().State != attempt.Open {
		t.Fatalf("%+v", b.Status())
	}
	return b
}

func TestThreeSilentAttemptsInARowOpenABreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(attempt.Breaker)
		for range 10 { // never three in a row
			try(b, attempt.Silent)
			try(b, attempt.Silent)
			try(b, attempt.Heard)
		}
		if s := b.Status(); s.State != attempt.Closed || s.Error != "" {
			t.Errorf("%+v", s)
		}
		b = opened(t)
		if s := b.Status(); s.Since != time.Now() || s.Error != "connection refused" {
			t.Errorf("%+v", s)
		}
		if _, ok, wait := b.Enter(); ok || wait != 200*time.Millisecond {
			t.Errorf("an attempt at a destination that is away: %t, or in %v", ok, wait)
		}
	})
}

func TestProbesComeOneAtATimeAndEverSlower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := opened(t)
		began := time.Now()
		var at []time.Duration
		for range 8 {
			_, ok, wait := b.Enter()
			if ok {
				t.Fatal("two attempts without a wait between")
			}
			time.Sleep(wait)
			p, ok, _ := b.Enter()
			if !ok {
				t.Fatal("no probe after the wait")
			}
			if _, second, _ := b.Enter(); second {
				t.Fatal("two probes at once")
			}
			if b.Status().State != attempt.HalfOpen {
				t.Errorf("%+v", b.Status())
			}
			at = append(at, time.Since(began))
			b.Leave(p, attempt.Silent, errRefused)
		}
		want := fmt.Sprint([]time.Duration{200e6, 600e6, 1400e6, 3000e6, 6200e6, 12600e6, 22600e6, 32600e6})
		if fmt.Sprint(at) != want {
			t.Errorf("%v, not %v", at, want)
		}
	})
}

func TestAnyWordOfTheDestinationEndsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := opened(t)
		time.Sleep(time.Second)
		p, _, _ := b.Enter()
		if open := b.Leave(p, attempt.Heard, errors.New("answered 500")); open {
			t.Error("open")
		}
		for range 100 {
			if !try(b, attempt.Heard) {
				t.Fatal("an attempt was not allowed")
			}
		}
		// One that was under way since before the outage may be what is heard.
		b = new(attempt.Breaker)
		early, _, _ := b.Enter()
		for range 3 {
			try(b, attempt.Silent)
		}
		b.Leave(early, attempt.Heard, nil)
		if !try(b, attempt.Heard) {
			t.Error("an attempt was not allowed")
		}
	})
}

// A connection that ends in the middle tells nothing of a destination whose
// breaker has opened since.
func TestWhatFailsLateEndsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(attempt.Breaker)
		early, _, _ := b.Enter()
		for range 3 {
			try(b, attempt.Silent)
		}
		if open := b.Leave(early, attempt.Heard, io.EOF); !open {
			t.Error("it counts as an attempt")
		}
		if s := b.Status(); s.State != attempt.Open || s.Error != "connection refused" {
			t.Errorf("%+v", s)
		}
		if try(b, attempt.Heard) {
			t.Error("an attempt at a destination that is away")
		}
	})
}

func TestABreakerTellsOfItsOpeningAndItsClosingOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		b := &attempt.Breaker{Changed: func(open bool, since time.Time, last string) {
			told = append(told, fmt.Sprint(open, " for ", time.Since(since), ": ", last))
		}}
		for range 5 {
			try(b, attempt.Silent)
		}
		time.Sleep(time.Second)
		try(b, attempt.Silent) // a probe
		time.Sleep(time.Second)
		try(b, attempt.Heard)
		try(b, attempt.Heard)
		try(b, attempt.Silent) // not three
		if want := "[true for 0s: connection refused false for 2s: connection refused]"; fmt.Sprint(told) != want {
			t.Errorf("%v, not %s", told, want)
		}
	})
}

func TestAProbeThatIsCutShortMakesRoomForTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := opened(t)
		time.Sleep(time.Second)
		p, ok, _ := b.Enter()
		if !ok {
			t.Fatal("no probe")
		}
		if !b.Leave(p, attempt.Cut, context.Canceled) {
			t.Error("closed by an attempt that told nothing")
		}
		if !try(b, attempt.Heard) {
			t.Error("no probe after one that was cut short")
		}
	})
}

func TestJudge(t *testing.T) {
	late := fmt.Errorf("no answer: %w", context.DeadlineExceeded)
	for name, test := range map[string]struct {
		err         error
		took, limit time.Duration
		want        attempt.Result
	}{
		"taken":                                {nil, 1, time.Second, attempt.Heard},
		"answered 500":                         {errors.New("500"), 1, time.Second, attempt.Heard},
		"refused for good":                     {keg.Permanent(io.EOF), 1, time.Second, attempt.Heard},
		"not reached":                          {fmt.Errorf("http: %w", errRefused), 1, time.Second, attempt.Silent},
		"silent for all its time":              {late, time.Second, time.Second, attempt.Silent},
		"the sender's time was shorter":        {late, time.Millisecond, time.Second, attempt.Cut},
		"the sender went":                      {context.Canceled, time.Millisecond, time.Second, attempt.Cut},
		"not reached in all the sender's time": {keg.Unreachable(late), time.Millisecond, time.Second, attempt.Silent},
	} {
		if got := attempt.Judge(test.err, test.took, test.limit); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestABreakerUnderManyHands(t *testing.T) {
	b := new(attempt.Breaker)
	var away atomic.Bool
	var probes, during atomic.Int64
	var all sync.WaitGroup
	away.Store(true)
	for range 8 {
		all.Go(func() {
			for range 2000 {
				p, ok, _ := b.Enter()
				if !ok {
					continue
				}
				if away.Load() {
					if during.Add(1) > 3+8 { // those that passed before it opened
						probes.Add(1)
					}
					b.Leave(p, attempt.Silent, errRefused)
				} else {
					b.Leave(p, attempt.Heard, nil)
				}
			}
		})
	}
	all.Wait()
	if probes.Load() > 50 {
		t.Errorf("%d attempts at a destination that is away", probes.Load())
	}
	away.Store(false)
	for !try(b, attempt.Heard) {
		time.Sleep(time.Millisecond)
	}
	if b.Status().State != attempt.Closed {
		t.Errorf("%+v", b.Status())
	}
}

func BenchmarkBreakerOfADestinationThatIsWell(b *testing.B) {
	breaker := new(attempt.Breaker)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p, _, _ := breaker.Enter()
			breaker.Leave(p, attempt.Heard, nil)
		}
	})
}

func TestAProbeThatFailsAfterAnotherAttemptEndedTheOutageDoesNotOpenTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := opened(t)
		time.Sleep(time.Second)
		probe, ok, _ := b.Enter()
		if !ok {
			t.Fatal("no probe")
		}
		b.Leave(attempt.Pass{}, attempt.Heard, nil) // of one that was under way when it opened
		if b.Leave(probe, attempt.Silent, errRefused) || b.Status().State != attempt.Closed {
			t.Errorf("%+v", b.Status())
		}
		if !try(b, attempt.Heard) {
			t.Error("no attempt is allowed")
		}
	})
}
