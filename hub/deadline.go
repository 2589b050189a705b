package hub

import (
	"context"
	"sync"
	"time"
)

// deadline is a context that ends at a time, and costs little until somebody
// waits for it: a timer, a channel and a place among its parent's children are
// more than most deliveries take from begin to end. It is made by endingAt, and is
// safe for concurrent use.
type deadline struct {
	parent context.Context
	at     time.Time

	mu     sync.Mutex
	armed  context.Context // the same, as package context makes it; nil before somebody waits
	cancel context.CancelFunc
	ended  bool
}

// endingAt returns ctx with a deadline: at, unless ctx has an earlier one. Its end
// is to be called, as a [context.CancelFunc] is.
func endingAt(ctx context.Context, at time.Time) *deadline {
	if earlier, ok := ctx.Deadline(); ok && earlier.Before(at) {
		at = earlier
	}
	return &deadline{parent: ctx, at: at}
}

// end releases what the context holds, and cancels it for whoever still has it.
func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	if d.cancel != nil {
		d.cancel()
	}
}

// Deadline is of [context.Context].
func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

// Done is of [context.Context].
func (d *deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.armed == nil {
		d.armed, d.cancel = context.WithDeadline(d.parent, d.at)
		if d.ended {
			d.cancel()
		}
	}
	return d.armed.Done()
}

// Err is of [context.Context].
func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.armed != nil:
		return d.armed.Err()
	case d.parent.Err() != nil:
		return d.parent.Err()
	case d.ended:
		return context.Canceled
	case !time.Now().Before(d.at):
		return context.DeadlineExceeded
	}
	return nil
}

// Value is of [context.Context]. Package context finds there what it keeps of
// the contexts above a new one.
func (d *deadline) Value(key any) any {
	d.mu.Lock()
	armed := d.armed
	d.mu.Unlock()
	if armed != nil {
		return armed.Value(key)
	}
	return d.parent.Value(key)
}
