package console

import (
	"context"
	"errors"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// eventOutcome is what became of an event, as its sender hears it.
type eventOutcome int

const (
	eventDelivered eventOutcome = iota
	eventStored
	eventAccepted
	eventUnmatched
	eventDuplicate
	eventInvalid
	eventTooLarge
	eventUnsupported
	eventUnrouted
	eventSchema
	eventLoop
	eventUnverified
	eventBusy
	eventUnavailable
	eventRefused
	eventTimeout
	eventFailed
	eventOutcomes
)

func (o eventOutcome) String() string {
	return [...]string{"delivered", "stored", "accepted", "unmatched", "duplicate", "invalid", "too_large", "unsupported", "unrouted",
		"schema", "loop", "unverified", "busy", "unavailable", "refused", "timeout", "failed"}[o]
}

// eventOutcomeOf is the outcome that a receipt tells of.
func eventOutcomeOf(r *keg.Receipt) eventOutcome {
	switch {
	case r.Err != nil:
		return eventRefusal(r.Err)
	case r.Duplicate:
		return eventDuplicate
	case len(r.Routes) == 0:
		return eventUnmatched
	case r.Ack == keg.AckStored:
		return eventStored
	case r.Ack == keg.AckNone:
		return eventAccepted
	}
	return eventDelivered
}

func eventRefusal(err error) eventOutcome {
	switch {
	case is[*outbox.UnavailableError](err): // which a sender hears as busy
		return eventUnavailable
	case is[*keg.BusyError](err):
		return eventBusy
	case is[*keg.InvalidError](err):
		return eventInvalid
	case is[*keg.TooLargeError](err):
		return eventTooLarge
	case is[*keg.UnsupportedError](err):
		return eventUnsupported
	case is[*keg.UnroutedError](err):
		return eventUnrouted
	case is[*keg.SchemaError](err):
		return eventSchema
	case is[*keg.LoopError](err):
		return eventLoop
	case is[*keg.UnverifiedError](err):
		return eventUnverified
	case keg.IsPermanent(err):
		return eventRefused
	case errors.Is(err, context.DeadlineExceeded):
		return eventTimeout
	}
	return eventFailed
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// deliveryOutcome is how a delivery ended.
type deliveryOutcome int

const (
	deliveryDelivered  deliveryOutcome = iota
	deliveryDeadLetter                 // given up, and kept as a dead letter
	deliveryFailed                     // the sender heard so, and still has the event
	deliveryLost                       // nobody heard so, as `ack: none` allows
	deliveryOutcomes
)

func (o deliveryOutcome) String() string {
	return [...]string{"delivered", "dead_letter", "failed", "lost"}[o]
}

func deliveryOutcomeOf(ack keg.Ack, d *keg.Delivery) deliveryOutcome {
	switch {
	case d.Err == nil:
		return deliveryDelivered
	case d.DeadLettered:
		return deliveryDeadLetter
	case ack == keg.AckNone:
		return deliveryLost
	}
	return deliveryFailed
}

// attemptOutcome is what one attempt met.
type attemptOutcome int

const (
	attemptTaken       attemptOutcome = iota
	attemptRefused                    // for good
	attemptRetryAfter                 // the destination asks to be left alone
	attemptUnreachable                // an outage
	attemptTimeout
	attemptCanceled // cut short by KEG
	attemptFailed   // anything else that may pass
	attemptOutcomes
)

func (o attemptOutcome) String() string {
	return [...]string{"taken", "refused", "retry_after", "unreachable", "timeout", "canceled", "failed"}[o]
}

func attemptOutcomeOf(err error) attemptOutcome {
	if err == nil {
		return attemptTaken
	}
	_, after := keg.RetryDelay(err)
	switch {
	case keg.IsPermanent(err):
		return attemptRefused
	case after:
		return attemptRetryAfter
	case keg.IsUnreachable(err):
		return attemptUnreachable
	case errors.Is(err, context.DeadlineExceeded):
		return attemptTimeout
	case errors.Is(err, context.Canceled):
		return attemptCanceled
	}
	return attemptFailed
}
