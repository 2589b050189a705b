package hub

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

const twoRoutes = `
routes:
- name: orders
	match: {type: order.created}
	destinations: [{type: fake, address: a}, {type: fake, address: b}]
- name: all
	match: {}
	destinations: [{type: fake, address: a}]
`

func TestDelivered(t *testing.T) {
	k := newKit(t, Options{})
	p := k.port(t, PortOptions{Table: parse(t, twoRoutes)})
	r := p.Publish(t.Context(), event("1"))[0]
	if r.ID != "1" || r.Ack != keg.AckDelivered || r.Err != nil {
		t.Errorf("%+v", r)
	}
	if diff := cmp.Diff([]string{"orders", "all"}, r.Routes); diff != "" {
		t.Error(diff)
	}
	var owed []string
	for _, d := range r.Deliveries {
		owed = append(owed, d.Route+" "+d.Destination.Name)
		if d.Attempts != 1 || d.Err != nil || d.DeadLettered {
			t.Errorf("%+v", d)
		}
	}
	if diff := cmp.Diff([]string{"orders fake://a", "orders fake://b", "all fake://a"}, owed); diff != "" {
		t.Error(diff)
	}
	if len(k.got("a")) != 2 || len(k.got("b")) != 1 { // once for each destination of each route
		t.Errorf("a got %d, b got %d", len(k.got("a")), len(k.got("b")))
	}
}

func TestDestinationsAreTriedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Options{})
		slow := func(context.Context, *keg.Event) error { time.Sleep(time.Second); return nil }
		for _, address := range []string{"a", "b", "c"} {
			k.on(address, slow)
		}
		p := k.port(t, PortOptions{Table: all(t, "a", "b", "c")})
		start := time.Now()
		if err := p.Publish(t.Context(), event("1"))[0].Err; err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("three destinations of a second each took %v", took)
		}
	})
}

func TestOneOfTwoFails(t *testing.T) {
	k := newKit(t, Options{})
	refusal := errors.New("403 for you")
	k.on("b", fails(keg.Permanent(refusal)))
	p := k.port(t, PortOptions{Table: all(t, "a", "b")})
	r := p.Publish(t.Context(), event("1"))[0]
	if !errors.Is(r.Err, refusal) || !strings.Contains(r.Err.Error(), "fake://b") {
		t.Errorf("%v", r.Err)
	}
	if r.Deliveries[0].Err != nil || r.Deliveries[1].Err == nil || len(k.got("a")) != 1 {
		t.Errorf("%+v", r.Deliveries)
	}
	if s := k.Stats(); s.Delivered != 1 || s.Failed != 1 || s.Lost != 0 {
		t.Errorf("%+v", s)
	}
}

func TestTimeIsSharedByACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Options{})
		k.on("a", hangs)
		p := k.port(t, PortOptions{Table: all(t, "a"), Timeout: 3 * time.Second})
		start := time.Now()
		events := make([]*keg.Event, 3*batchWidth)
		for i := range events {
			events[i] = event(fmt.Sprint(i))
		}
		receipts := p.Publish(t.Context(), events...)
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("took %v", took)
		}
		for i, r := range receipts {
			if r.ID != fmt.Sprint(i) || !errors.Is(r.Err, context.DeadlineExceeded) {
				t.Errorf("%d: %+v", i, r)
			}
		}
	})
}

func TestSenderGoneEndsItsDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Options{})
		k.on("a", hangs)
		p := k.port(t, PortOptions{Table: parse(t, `
routes:
- {name: r, match: {}, destinations: [{type: fake, address: a}], dead_letter: {type: fake, address: grave}}
`)})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		r := p.Publish(ctx, event("1"))[0]
		if !errors.Is(r.Err, context.Canceled) || len(k.got("grave")) != 0 {
			t.Errorf("%+v", r) // the event is the sender's; a dead letter would be a second one
		}
	})
}

func TestBatch(t *testing.T) {
	k := newKit(t, Options{MaxInFlight: 10_000})
	var now, most atomic.Int64
	k.on("a", func(_ context.Context, e *keg.Event) error {
		defer now.Add(-1)
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		if strings.HasSuffix(e.ID, "7") {
			return keg.Permanent(errDown)
		}
		return nil
	})
	p := k.port(t, PortOptions{Table: all(t, "a")})
	events := make([]*keg.Event, 1000)
	for i := range events {
		events[i] = event(fmt.Sprint(i))
	}
	for i, r := range p.Publish(t.Context(), events...) {
		if r.ID != fmt.Sprint(i) || (r.Err != nil) != (i%10 == 7) {
			t.Errorf("%d: %+v", i, r)
		}
	}
	if most.Load() > batchWidth {
		t.Errorf("%d at once", most.Load())
	}
	if r := p.Publish(t.Context()); len(r) != 0 {
		t.Errorf("no events: %+v", r)
	}
}

func TestUnmatched(t *testing.T) {
	const route = "routes: [{name: other, match: {type: other}, destinations: [{type: fake, address: a}]}]\n"
	t.Run("accepted and counted", func(t *testing.T) {
		k := newKit(t, Options{})
		r := k.port(t, PortOptions{Table: parse(t, route)}).Publish(t.Context(), event("1"))[0]
		if r.Err != nil || len(r.Routes) != 0 || r.Deliveries != nil || k.Stats().Unmatched != 1 {
			t.Errorf("%+v, %+v", r, k.Stats())
		}
	})
	t.Run("rejected", func(t *testing.T) {
		k := newKit(t, Options{})
		r := k.port(t, PortOptions{Table: parse(t, route+"unmatched: reject"), Ack: keg.AckNone}).Publish(t.Context(), event("1"))[0]
		var unrouted *keg.UnroutedError
		if !errors.As(r.Err, &unrouted) {
			t.Errorf("%+v", r)
		}
	})
	t.Run("sent to the rest, which is no route", func(t *testing.T) {
		k := newKit(t, Options{})
		p := k.port(t, PortOptions{Table: parse(t, route+"unmatched: [{type: fake, address: rest}]")})
		r := p.Publish(t.Context(), event("1"))[0]
		if r.Err != nil || len(r.Routes) != 0 || len(r.Deliveries) != 1 || len(k.got("rest")) != 1 {
			t.Errorf("%+v", r)
		}
		k.on("rest", fails(keg.Permanent(errDown)))
		if r := p.Publish(t.Context(), event("2"))[0]; !errors.Is(r.Err, errDown) {
			t.Errorf("%+v", r)
		}
	})
}

func TestEveryEventIsObservedOnce(t *testing.T) {
	k := newKit(t, Options{MaxInFlight: 1})
	p := k.port(t, PortOptions{Table: parse(t, "routes: [{name: r, match: {type: order.created}, destinations: [{type: fake, address: a}]}]\nunmatched: reject"),
		ForwardHeaders: []string{"x-tenant"}})
	e := event("taken")
	e.Headers = keg.Headers{"x-tenant": {"7"}, "authorization": {"Bearer s3cret"}}
	p.Publish(t.Context(), e)
	rejected := event("rejected")
	rejected.Type = "other"
	p.Publish(t.Context(), rejected)
	k.on("a", func(context.Context, *keg.Event) error {
		p.Publish(t.Context(), event("refused"))
		return nil
	})
	p.Publish(t.Context(), event("busy"))
	p.Close(t.Context())
	p.Publish(t.Context(), event("shut"))
	var ids []string
	for _, trace := range k.observed() {
		ids = append(ids, trace.Event.ID)
		if trace.Event.Headers.Get("authorization") != "" {
			t.Error("an observer sees a header that is not forwarded")
		}
	}
	if diff := cmp.Diff([]string{"taken", "rejected", "refused", "busy", "shut"}, ids); diff != "" {
		t.Error(diff)
	}
}
