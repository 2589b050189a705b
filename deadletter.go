package keg

import (
	"context"
	"errors"
	"time"
)

// Reason is why a delivery was given up.
type Reason string

// The reasons, spelled as dead letters, commands and metrics spell them.
const (
	ReasonExhausted     Reason = "exhausted"      // every attempt failed
	ReasonRefused       Reason = "refused"        // the destination refused it for good
	ReasonSchema        Reason = "schema"         // the data breaks the route's schema
	ReasonTooLarge      Reason = "too_large"      // larger than the destination takes
	ReasonExpired       Reason = "expired"        // max_age passed, or the time of an event that nobody waits for
	ReasonNoDestination Reason = "no_destination" // no route table has the destination any more
	ReasonUndecodable   Reason = "undecodable"    // what a source read is no event
	ReasonInternal      Reason = "internal"       // a fault of KEG, which the log describes
)

// Reasons lists every reason, for help and checks.
func Reasons() []Reason {
	return []Reason{ReasonExhausted, ReasonRefused, ReasonSchema, ReasonTooLarge,
		ReasonExpired, ReasonNoDestination, ReasonUndecodable, ReasonInternal}
}

// DeadLetter is a delivery given up, with its story.
type DeadLetter struct {
	// ID is the store's name for it; "" where no store has it.
	ID    string
	Event *Event
	// Route and Destination are the names of what it was owed to; both "" where
	// it never came to a route, as something undecodable. Route alone is "" for
	// a destination of `unmatched`.
	Route, Destination string
	Reason             Reason
	// Error is the last error, in one line without secrets.
	Error string
	// Status is the last HTTP status; 0 where there was none.
	Status   int
	Attempts int
	// First and Last are when the first and the last attempt began; zero where
	// there was none. Accepted is when the event was, and Died when it was given
	// up.
	First, Last, Accepted, Died time.Time
}

// Intake is where a source's events go.
type Intake interface {
	// Publish is a [Handler].
	Publish(ctx context.Context, events ...*Event) Receipts
	// Abandon keeps dead letters of what can never be published: the undecodable,
	// and events whose receipt's error [IsFinal]. It blocks until they are safe,
	// which is to say stored, or, on a node without a store, written to its log.
	// On an error they are still the sender's.
	Abandon(ctx context.Context, dead ...*DeadLetter) error
}

// IsFinal reports whether a receipt's error will be the same however often its
// event is published again: the event itself is refused, by KEG or for good by
// a destination.
func IsFinal(err error) bool {
	var (
		invalid     *InvalidError
		tooLarge    *TooLargeError
		unsupported *UnsupportedError
		unrouted    *UnroutedError
		schema      *SchemaError
		loop        *LoopError
	)
	return IsPermanent(err) || errors.As(err, &invalid) || errors.As(err, &tooLarge) || errors.As(err, &unsupported) ||
		errors.As(err, &unrouted) || errors.As(err, &schema) || errors.As(err, &loop)
}

// ReasonOf is the reason of a dead letter that died of err.
func ReasonOf(err error) Reason {
	var (
		tooLarge    *TooLargeError
		schema      *SchemaError
		invalid     *InvalidError
		unsupported *UnsupportedError
	)
	switch {
	case errors.As(err, &tooLarge):
		return ReasonTooLarge
	case errors.As(err, &schema):
		return ReasonSchema
	case errors.As(err, &invalid), errors.As(err, &unsupported):
		return ReasonUndecodable
	}
	return ReasonRefused
}
