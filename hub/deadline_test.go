package hub

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"
)

type named string

// A deadline must be to whoever has it what package context would have made.
func TestADeadlineIsAContextLikeAnyOther(t *testing.T) {
	cause := errors.New("the sender has left")
	soon := func() time.Time { return time.Now().Add(20 * time.Millisecond) }
	late := func() time.Time { return time.Now().Add(time.Hour) }
	for _, c := range []struct {
		name string
		at   time.Time
		do   func(cancelParent context.CancelCauseFunc, d *deadline)
		err  error
		why  error
	}{
		{"its time comes", soon(), func(context.CancelCauseFunc, *deadline) { time.Sleep(30 * time.Millisecond) }, context.DeadlineExceeded, context.DeadlineExceeded},
		{"it was over before", time.Now(), func(context.CancelCauseFunc, *deadline) {}, context.DeadlineExceeded, context.DeadlineExceeded},
		{"its parent's time comes", late(), func(cancel context.CancelCauseFunc, _ *deadline) { cancel(cause) }, context.Canceled, cause},
		{"it is ended", late(), func(_ context.CancelCauseFunc, d *deadline) { d.end() }, context.Canceled, context.Canceled},
	} {
		for _, awaited := range []string{"before", "after", "never"} {
			t.Run(c.name+", awaited "+awaited, func(t *testing.T) {
				parent, cancel := context.WithCancelCause(context.WithValue(t.Context(), named("a"), 1))
				defer cancel(nil)
				d := endingAt(parent, c.at)
				defer d.end()
				var children []context.Context
				if awaited == "before" {
					child, done := context.WithCancel(d)
					defer done()
					children = append(children, d, child)
					for _, ctx := range children {
						_ = ctx.Done()
					}
				}
				c.do(cancel, d)
				if awaited == "after" {
					child, done := context.WithTimeout(d, time.Hour)
					defer done()
					children = append(children, d, child)
				}
				for _, ctx := range children {
					select {
					case <-ctx.Done():
					case <-time.After(5 * time.Second):
						t.Fatalf("%T is not done", ctx)
					}
				}
				for _, ctx := range append(children, d) {
					if !errors.Is(ctx.Err(), c.err) || !errors.Is(context.Cause(ctx), c.why) || ctx.Value(named("a")) != 1 {
						t.Errorf("%T: error %v, cause %v, value %v; want %v and %v", ctx, ctx.Err(), context.Cause(ctx), ctx.Value(named("a")), c.err, c.why)
					}
				}
			})
		}
	}
}

func TestADeadlineIsNeverLaterThanItsParents(t *testing.T) {
	parent, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	want, _ := parent.Deadline()
	if at, ok := endingAt(parent, want.Add(time.Second)).Deadline(); !ok || !at.Equal(want) {
		t.Errorf("%v, want %v", at, want)
	}
	earlier := want.Add(-time.Second)
	if at, ok := endingAt(parent, earlier).Deadline(); !ok || !at.Equal(earlier) {
		t.Errorf("%v, want %v", at, earlier)
	}
}

// A context that package context does not know costs each of its children a
// goroutine, unless it says what lies behind it.
func TestChildrenOfADeadlineNeedNoGoroutines(t *testing.T) {
	d := endingAt(t.Context(), time.Now().Add(time.Hour))
	defer d.end()
	before := runtime.NumGoroutine()
	for range 100 {
		_, cancel := context.WithCancel(d)
		defer cancel()
	}
	if now := runtime.NumGoroutine(); now > before+10 {
		t.Errorf("%d goroutines, %d before", now, before)
	}
}

// What nobody waits for takes one piece of memory and no timer.
func TestADeadlineThatNobodyAwaitsIsCheap(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	at := time.Now().Add(time.Hour)
	n := testing.AllocsPerRun(100, func() {
		d := endingAt(ctx, at)
		if d.Err() != nil {
			t.Fatal(d.Err())
		}
		d.end()
	})
	if n > 1 {
		t.Errorf("%v allocations", n)
	}
}
