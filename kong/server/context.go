package server

import (
	"context"
	"sync"
	"time"
)

// eventContext is the context of one event. It is a timer and a channel only
// for those who ask for its end; most phases are over before anyone does.
//
// Kong's patience begins anew with each answer that it gives, so the deadline
// moves with them, up to the moment when someone has seen it.
type eventContext struct {
	parent  context.Context // ends when the server must stop
	allowed time.Duration

	mu       sync.Mutex
	deadline time.Time
	seen     bool // the deadline is a promise now
	over     bool
	inner    context.Context // nil until it is waited for
	cancel   context.CancelFunc
}

var _ context.Context = (*eventContext)(nil)

func (c *eventContext) begin(parent context.Context, now time.Time, allowed time.Duration) {
	c.parent, c.allowed, c.deadline = parent, allowed, now.Add(allowed)
}

// restart lets the time run from now, if nobody has looked at it.
func (c *eventContext) restart(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.seen {
		c.deadline = now.Add(c.allowed)
	}
}

func (c *eventContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen, c.over = true, true
	if c.cancel != nil {
		c.cancel()
	}
}

// real makes the context that the standard library knows how to wait for.
func (c *eventContext) real() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner == nil {
		c.seen = true
		c.inner, c.cancel = context.WithDeadline(c.parent, c.deadline)
		if c.over {
			c.cancel()
		}
	}
	return c.inner
}

func (c *eventContext) Deadline() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = true
	return c.deadline, true
}

func (c *eventContext) Done() <-chan struct{} { return c.real().Done() }

func (c *eventContext) Err() error { return c.real().Err() }

// Value answers for the standard library, which looks for its own contexts by
// it and would otherwise need a goroutine for each child of this one.
func (c *eventContext) Value(key any) any { return c.real().Value(key) }
