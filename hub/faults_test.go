package hub

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/kong/keg"
)

func TestPanicsAreOneEventsError(t *testing.T) {
	for _, ack := range []keg.Ack{keg.AckDelivered, keg.AckNone} {
		t.Run("of a sink under "+string(ack), func(t *testing.T) {
			k := newKit(t, Options{})
			k.on("b", panics)
			p := k.port(t, PortOptions{Table: all(t, "a", "b"), Ack: ack})
			r := p.Publish(t.Context(), event("1"))[0]
			if err := p.Close(t.Context()); err != nil {
				t.Error(err)
			}
			var fault *PanicError
			if errors.As(r.Err, &fault) != (ack == keg.AckDelivered) {
				t.Errorf("%+v", r)
			}
			if len(k.got("a")) != 1 || k.Stats().Panics != 1 || !strings.Contains(k.log.String(), "a bug") {
				t.Errorf("%+v, log %q", k.Stats(), k.log.String())
			}
			if n := strings.Count(k.log.String(), "\n"); n > 2 {
				t.Errorf("the log has %d lines: %s", n, k.log.String())
			}
		})
	}
	t.Run("of a route", func(t *testing.T) {
		k := newKit(t, Options{})
		p := k.port(t, PortOptions{Table: all(t, "a")})
		p.own.paths = nil // as if the table and its wiring did not agree
		r := p.Publish(t.Context(), event("1"))[0]
		var fault *PanicError
		if !errors.As(r.Err, &fault) || k.Stats().Panics != 1 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("of the observer, which is nobody's", func(t *testing.T) {
		k := newKit(t, Options{Observe: func(Trace) { panic("a bug") }})
		p := k.port(t, PortOptions{Table: all(t, "a")})
		if r := p.Publish(t.Context(), event("1"))[0]; r.Err != nil || k.Stats().Panics != 1 {
			t.Errorf("%+v", r)
		}
	})
}

func TestDeadDestinationLeavesRoomForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Options{MaxInFlight: 10})
		k.on("dead", hangs)
		dead, live := k.port(t, PortOptions{Table: all(t, "dead")}), k.port(t, PortOptions{Table: all(t, "live")})
		receipts := make(chan keg.Receipt)
		for range 20 {
			go func() { receipts <- dead.Publish(t.Context(), event("1"))[0] }()
		}
		synctest.Wait()
		if r := live.Publish(t.Context(), event("2"))[0]; r.Err != nil {
			t.Errorf("a live destination: %v", r.Err)
		}
		busy, late := 0, 0
		for range 20 {
			r := <-receipts
			var b *keg.BusyError
			switch {
			case errors.As(r.Err, &b):
				busy++
				if b.After <= 0 || len(r.Deliveries) != 0 || !strings.Contains(b.Error(), "fake://dead") {
					t.Errorf("%+v", r)
				}
			case errors.Is(r.Err, context.DeadlineExceeded):
				late++
			}
		}
		if busy != 15 || late != 5 {
			t.Errorf("%d refused, %d late", busy, late)
		}
		if s := k.Stats(); s.Refused != 15 {
			t.Errorf("%+v", s)
		}
	})
}
