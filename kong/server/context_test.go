package server

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func newEventContext(parent context.Context, allowed time.Duration) *eventContext {
	c := &eventContext{}
	c.begin(parent, time.Now(), allowed)
	return c
}

func TestAnEventsDeadlineMovesUntilItIsSeen(t *testing.T) {
	c := newEventContext(context.Background(), time.Hour)
	later := time.Now().Add(time.Minute)
	c.restart(later)
	seen, ok := c.Deadline()
	if !ok || !seen.Equal(later.Add(time.Hour)) {
		t.Errorf("the deadline is %v, %v", seen, ok)
	}
	c.restart(later.Add(time.Minute))
	if again, _ := c.Deadline(); !again.Equal(seen) {
		t.Error("a deadline moved after it had been seen")
	}
}

func TestAnEventsContextEndsWithTheEvent(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent()) // what other tests left is theirs
	c := newEventContext(context.Background(), time.Hour)
	child, cancel := context.WithCancel(c)
	defer cancel()
	if c.Err() != nil || child.Err() != nil {
		t.Fatal("ended at its beginning")
	}
	c.end()
	select {
	case <-child.Done():
	case <-time.After(time.Second):
		t.Error("a child outlives the event")
	}
	if !errors.Is(c.Err(), context.Canceled) {
		t.Errorf("the error is %v", c.Err())
	}
}

func TestAnEventsContextThatIsFirstAskedAfterTheEventHasEnded(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent()) // what other tests left is theirs
	c := newEventContext(context.Background(), time.Hour)
	c.end()
	if !errors.Is(c.Err(), context.Canceled) {
		t.Errorf("the error is %v", c.Err())
	}
}

func TestAnEventsContextEndsWithTheServer(t *testing.T) {
	parent, stop := context.WithCancel(context.Background())
	c := newEventContext(parent, time.Hour)
	done := c.Done()
	stop()
	select {
	case <-done:
	case <-time.After(time.Second):
		t.Error("it does not end")
	}
	c.end()
}

func TestChildrenOfAnEventsContextNeedNoGoroutine(t *testing.T) {
	c := newEventContext(context.Background(), time.Hour)
	defer c.end()
	if allocated := testing.AllocsPerRun(100, func() {
		_, cancel := context.WithCancel(c)
		cancel()
	}); allocated > 4 {
		t.Errorf("a child takes %v allocations", allocated)
	}
}
