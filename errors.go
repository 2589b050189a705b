package keg

import (
	"errors"
	"fmt"
	"time"
)

// An error says by its type what to do next. A sink's error is permanent
// ([Permanent], [Gone]), says when to come back ([RetryAfter]), tells of an
// outage ([Unreachable]), or, being none of these, is transient: the same
// attempt may succeed later. It is one of these and never two. The rest are the
// refusals that a sender hears, one type for each answer of the delivery
// contract.

// Permanent marks err as final: no later attempt can succeed.
func Permanent(err error) error { return &permanentError{err} }

// IsPermanent reports whether err, or one that it wraps, is final.
func IsPermanent(err error) bool {
	var p *permanentError
	return errors.As(err, &p)
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// RetryAfter marks err as transient, with the destination's own word that no
// attempt before after has passed will do. A negative duration counts as none.
func RetryAfter(err error, after time.Duration) error {
	return &retryAfterError{err, max(after, 0)}
}

// RetryDelay returns how long err's destination asked to be left alone, and
// whether it asked.
func RetryDelay(err error) (time.Duration, bool) {
	var r *retryAfterError
	if !errors.As(err, &r) {
		return 0, false
	}
	return r.after, true
}

type retryAfterError struct {
	err   error
	after time.Duration
}

func (e *retryAfterError) Error() string { return e.err.Error() }
func (e *retryAfterError) Unwrap() error { return e.err }

// Gone marks err as final, and not for its event alone: the destination has said
// that it is no more, so that nothing else need be sent there either.
func Gone(err error) error { return &goneError{Permanent(err)} }

// IsGone reports whether err, or one that it wraps, tells that the destination
// is no more. Such an error [IsPermanent], too.
func IsGone(err error) bool {
	var g *goneError
	return errors.As(err, &g)
}

type goneError struct{ err error }

func (e *goneError) Error() string { return e.err.Error() }
func (e *goneError) Unwrap() error { return e.err }

// Unreachable marks err as an outage: the destination could not be reached at
// all (refused, no such host, no broker, no turn before time ran out), or could
// be, and takes nothing from anybody now (a partition without a leader). Nothing
// was sent, or nothing of it kept. Such an attempt says nothing of the event,
// and is not counted against it.
func Unreachable(err error) error { return &unreachableError{err} }

// IsUnreachable reports whether err, or one that it wraps, is an outage.
func IsUnreachable(err error) bool {
	var u *unreachableError
	return errors.As(err, &u)
}

type unreachableError struct{ err error }

func (e *unreachableError) Error() string { return e.err.Error() }
func (e *unreachableError) Unwrap() error { return e.err }

// InvalidError: what was sent is no legal event, and only its sender can mend
// it. Answered 400.
type InvalidError struct {
	// Attribute names the attribute, header or JSON member at fault; "" where
	// the whole is.
	Attribute string
	// Problem completes the sentence that the attribute's name begins.
	Problem string
}

func (e *InvalidError) Error() string {
	if e.Attribute == "" {
		return e.Problem
	}
	return fmt.Sprintf("%q %s", e.Attribute, e.Problem)
}

// TooLargeError: more bytes (or events) than a limit allows. Answered 413; where
// it is a destination's limit, the destination's refusal is what is answered.
type TooLargeError struct {
	What  string // "event", "batch"
	Limit int64  // 0: whoever has it did not tell
	Unit  string // "bytes", "events"
}

func (e *TooLargeError) Error() string {
	if e.Limit == 0 {
		return fmt.Sprintf("the %s is too large", e.What)
	}
	return fmt.Sprintf("the %s is larger than %d %s", e.What, e.Limit, e.Unit)
}

// UnsupportedError: a media type or encoding that KEG cannot read. Answered 415.
type UnsupportedError struct{ Problem string }

func (e *UnsupportedError) Error() string { return e.Problem }

// UnroutedError: no route takes the event, and the table says `unmatched:
// reject`. Answered 422.
type UnroutedError struct{}

func (*UnroutedError) Error() string { return "no route takes this event" }

// SchemaError: the event's data breaks the schema of a route that says
// `on_violation: reject`. Answered 422.
type SchemaError struct {
	Route string
	// Pointer is the JSON pointer (RFC 6901) of the value at fault; "" is the
	// whole data.
	Pointer string
	Problem string
}

func (e *SchemaError) Error() string {
	return fmt.Sprintf("the data breaks the schema of route %q at %q: %s", e.Route, e.Pointer, e.Problem)
}

// UnverifiedError: a request does not prove that it comes from where its entry
// expects. No event is made of it. Answered 401.
type UnverifiedError struct {
	Scheme  string // how it should have been signed
	Problem string // holds neither a secret nor a signature
}

func (e *UnverifiedError) Error() string {
	return fmt.Sprintf("the request is not verified (%s): %s", e.Scheme, e.Problem)
}

// LoopError: the event has come through KEG so often that its routes must lead
// in a circle. Answered 508.
type LoopError struct{ Hops int }

func (e *LoopError) Error() string {
	return fmt.Sprintf("the event has passed KEG %d times: its routes lead in a circle", e.Hops)
}

// BusyError: too much is in flight already; nothing of the event was kept.
// Answered 503 with Retry-After.
type BusyError struct {
	Problem string
	After   time.Duration
}

func (e *BusyError) Error() string { return e.Problem }

// Problems takes apart what [errors.Join] has put together, however deeply, in
// order. Any other error is its own only problem, also one that wraps several
// and has words of its own; nil has none.
func Problems(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || err.Error() != errors.Join(joined.Unwrap()...).Error() {
		return []error{err}
	}
	var all []error
	for _, err := range joined.Unwrap() {
		all = append(all, Problems(err)...)
	}
	return all
}

// FieldError is a setting that is wrong on its own terms. Validate methods of
// settings return these (joined when there are several), so that whoever read
// the file can add the place.
type FieldError struct {
	// Path is the setting's key below the value that was validated, joined by
	// dots: "tls.cert".
	Path    string
	Problem string
}

func (e *FieldError) Error() string { return e.Path + ": " + e.Problem }
