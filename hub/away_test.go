package hub

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/answer"
	"github.com/kong/keg/attempt"
)

func TestADestinationThatIsAwayIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Options{})
		var attempts atomic.Int64
		k.on("a", func(context.Context, *keg.Event) error {
			attempts.Add(1)
			return keg.Unreachable(errDown)
		})
		p := k.port(t, PortOptions{Table: parse(t, withGrave)})
		r := p.Publish(t.Context(), event("1"))[0]
		if !errors.Is(r.Err, errDown) || attempts.Load() != 3 || answer.Of(keg.Receipts{r}, false).Status != 502 {
			t.Errorf("%+v after %d attempts", r, attempts.Load())
		}
		start := time.Now()
		r = p.Publish(t.Context(), event("2"))[0]
		if a := answer.Of(keg.Receipts{r}, false); a.Status != 503 || a.Headers.Get("Retry-After") == "" || time.Since(start) != 0 || attempts.Load() != 3 {
			t.Errorf("%+v after %v and %d attempts: %d", r, time.Since(start), attempts.Load(), a.Status)
		}
		if len(k.got("grave")) != 0 {
			t.Error("an outage made dead letters of events that their senders still have")
		}
		k.on("a", nil) // it is back
		time.Sleep(time.Second)
		if r := p.Publish(t.Context(), event("3"))[0]; r.Err != nil {
			t.Errorf("%+v", r)
		}
		for i := range 100 {
			if r := p.Publish(t.Context(), event("4"))[0]; r.Err != nil {
				t.Fatalf("%d: %+v", i, r)
			}
		}
		if log := k.log.String(); strings.Count(log, "a destination is away") != 1 || strings.Count(log, `msg="a destination is back" destination=fake://a away=`) != 1 {
			t.Errorf("the log: %s", log)
		}
	})
}

func TestADestinationThatHangsOpensItsBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Options{})
		k.on("a", hangs)
		table := parse(t, "routes: [{name: r, match: {}, destinations: [{type: fake, address: a, timeout: 1s, retry: {max_attempts: 1}}]}]")
		p := k.port(t, PortOptions{Table: table})
		for range 3 {
			if r := p.Publish(t.Context(), event("1"))[0]; !errors.Is(r.Err, context.DeadlineExceeded) {
				t.Errorf("%+v", r)
			}
		}
		var busy *keg.BusyError
		if r := p.Publish(t.Context(), event("1"))[0]; !errors.As(r.Err, &busy) {
			t.Errorf("%+v", r)
		}
		if s := p.own.outlets[0].lane.breaker.Status(); s.State != attempt.Open || !strings.Contains(s.Error, "deadline") {
			t.Errorf("%+v", s)
		}
	})
}

func TestASendersShortPatienceIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Options{})
		k.on("a", hangs)
		p := k.port(t, PortOptions{Table: all(t, "a"), Timeout: 50 * time.Millisecond})
		for range 20 {
			if r := p.Publish(t.Context(), event("1"))[0]; !errors.Is(r.Err, context.DeadlineExceeded) {
				t.Fatalf("%+v", r)
			}
		}
	})
}

func TestADestinationThatIsGoneGetsNothingMore(t *testing.T) {
	k := newKit(t, Options{})
	var attempts atomic.Int64
	k.on("a", func(context.Context, *keg.Event) error {
		attempts.Add(1)
		return keg.Gone(errors.New("410"))
	})
	if err := k.SetTable(all(t, "a")); err != nil {
		t.Fatal(err)
	}
	p := k.port(t, PortOptions{})
	for range 5 {
		if r := p.Publish(t.Context(), event("1"))[0]; !keg.IsPermanent(r.Err) {
			t.Errorf("%+v", r)
		}
	}
	if attempts.Load() != 1 || strings.Count(k.log.String(), "it is gone") != 1 {
		t.Errorf("%d attempts, log %q", attempts.Load(), k.log.String())
	}
	k.on("a", nil)
	if err := k.SetTable(all(t, "a")); err != nil { // mended
		t.Fatal(err)
	}
	if r := p.Publish(t.Context(), event("1"))[0]; r.Err != nil {
		t.Errorf("%+v", r)
	}
}

func TestEventsThatGoInACircleAreRefused(t *testing.T) {
	for _, ack := range []keg.Ack{keg.AckDelivered, keg.AckNone} {
		k := newKit(t, Options{})
		p := k.port(t, PortOptions{Table: all(t, "a"), Ack: ack})
		e := event("1")
		keg.SetHops(e, maxHops)
		if r := p.Publish(t.Context(), e)[0]; r.Err != nil {
			t.Errorf("%+v", r)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := k.got("a"); len(got) != 1 || keg.Hops(got[0]) != maxHops {
			t.Errorf("the count of hops does not travel on: %+v", got)
		}
		p = k.port(t, PortOptions{Table: all(t, "a"), Ack: ack})
		e = event("2")
		keg.SetHops(e, maxHops+1)
		r := p.Publish(t.Context(), e)[0]
		if a := answer.Of(keg.Receipts{r}, false); a.Status != 508 || !keg.IsFinal(r.Err) {
			t.Errorf("%+v: %d", r, a.Status)
		}
	}
}
