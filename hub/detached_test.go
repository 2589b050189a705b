package hub

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kong/keg"
)

func TestAckNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Options{})
		k.on("a", func(context.Context, *keg.Event) error { time.Sleep(time.Second); return nil })
		k.on("b", fails(errDown))
		p := k.port(t, PortOptions{Table: all(t, "a", "b"), Ack: keg.AckNone})
		start := time.Now()
		ctx, gone := context.WithCancel(t.Context())
		r := p.Publish(ctx, event("1"))[0]
		gone() // whether its sender is there does not matter
		if r.Err != nil || r.Ack != keg.AckNone || r.Deliveries != nil || len(r.Routes) != 1 {
			t.Errorf("%+v", r)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("the sender waited %v", took)
		}
		time.Sleep(9 * time.Second)
		if s := k.Stats(); len(k.got("a")) != 1 || s.Lost != 1 || s.Attempts != 4 {
			t.Errorf("a got %d; %+v", len(k.got("a")), s)
		}
		if log := k.log.String(); strings.Count(log, "an event was lost") != 1 || !strings.Contains(log, "fake://b") || !strings.Contains(log, "connection refused") {
			t.Errorf("log: %q", log)
		}
		traces := k.observed()
		if len(traces) != 1 || len(traces[0].Receipt.Deliveries) != 2 || traces[0].Entry != "test" || traces[0].Took != time.Second {
			t.Errorf("%+v", traces)
		}
	})
}

func TestAckNoneIsBoundedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Options{MaxInFlight: 10})
		k.on("a", hangs)
		p := k.port(t, PortOptions{Table: all(t, "a"), Ack: keg.AckNone})
		busy := 0
		for range 20 {
			if p.Publish(t.Context(), event("1"))[0].Err != nil {
				busy++
			}
		}
		if busy != 15 {
			t.Errorf("%d of 20 were refused", busy)
		}
	})
}

func TestLossesDoNotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Options{Observe: func(Trace) {}})
		k.on("a", fails(keg.Permanent(errDown)))
		p := k.port(t, PortOptions{Table: all(t, "a"), Ack: keg.AckNone})
		for range 1000 {
			p.Publish(t.Context(), event("1"))
			synctest.Wait()
		}
		if n := strings.Count(k.log.String(), "\n"); n > 11 {
			t.Errorf("%d lines for a thousand events", n)
		}
		if k.Stats().Lost != 1000 {
			t.Errorf("%+v", k.Stats())
		}
	})
}
