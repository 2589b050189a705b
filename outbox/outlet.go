package outbox

import (
	"context"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/attempt"
)

// Outlets says what queues are today: the hub, which knows the route tables. It
// is called by many goroutines at once and must not block.
type Outlets interface {
	// Outlet returns the destination that q names, entered: the caller must leave
	// it. Without one, the standing says why.
	Outlet(q Queue) (Outlet, Standing)
}

// Standing is what is known of a queue's destination.
type Standing int

const (
	// Here: the outlet is open.
	Here Standing = iota
	// Unseen: the queue's table has not been seen since the node started, as that
	// of a plugin of Kong before its first request. What is owed waits.
	Unseen
	// Gone: the table is known, and has the destination no more.
	Gone
)

// Outlet is a destination, open. It is used by many goroutines at once.
type Outlet interface {
	// Label is the destination's, shared by every queue that leads there.
	Label() string
	// Retry says how often and for how long a delivery is tried.
	Retry() keg.Retry
	// Timeout bounds one attempt; 0 for no bound of its own.
	Timeout() time.Duration
	// Width is how many attempts may be under way at once, at least 1.
	Width() int
	// Breaker is the destination's, shared with all that send there.
	Breaker() *attempt.Breaker
	// Attempt sends e once, within its own time. A panic comes back as an error
	// for which IsFault is true.
	Attempt(ctx context.Context, e *keg.Event) error
	// IsFault reports whether err is a fault of KEG, which it has logged.
	IsFault(err error) bool
	// Bury returns what is owed to the route's dead-letter destination for dead;
	// nil where there is none.
	Bury(dead *keg.DeadLetter) *Entry
	// Leave ends the caller's use.
	Leave()
}

// Observer is told what becomes of deliveries, by many goroutines at once. It
// must not block, and keeps nothing of an event.
type Observer interface {
	// Attempted is called after each attempt at e.
	Attempted(q Queue, label string, e *keg.Event, took time.Duration, err error)
	// Settled is called when a hold has ended in the store. Label is "" where the
	// queue had no outlet, reason is that of a Dead, and age the time since the
	// delivery was accepted. Dead, of what was owed to a dead-letter destination,
	// leaves no second dead letter: the first is in the store still.
	Settled(q Queue, label string, outcome Outcome, reason keg.Reason, age time.Duration)
}
