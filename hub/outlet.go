package hub

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/attempt"
	"github.com/kong/keg/outbox"
)

// outlet is one destination of one route, opened. It is an [outbox.Outlet].
type outlet struct {
	queue       outbox.Queue // what is owed here is stored under
	route       string       // "" for a destination of `unmatched`
	destination *keg.Destination
	sink        keg.Sink
	lane        *lane
	deadLetter  *outlet // nil where the route has none
	wiring      *wiring
	ordered     bool
	watch       Watch // nil: nobody
}

// leg is one way that an event takes.
type leg struct {
	*outlet
	// event goes this way; nil: the event that came.
	event *keg.Event
	// dead, if not nil, is what is stored instead of being sent.
	dead *keg.DeadLetter
}

// of is what goes this way when e came.
func (l leg) of(e *keg.Event) *keg.Event {
	if l.event != nil {
		return l.event
	}
	return e
}

var _ outbox.Outlet = (*outlet)(nil)

// Label is the destination's, free of secrets.
func (o *outlet) Label() string { return o.lane.label }

// Retry says how often and how long it is tried.
func (o *outlet) Retry() keg.Retry { return o.destination.Retry }

// Timeout bounds one attempt.
func (o *outlet) Timeout() time.Duration { return o.destination.Timeout }

// Width is how many attempts may be under way at once.
func (o *outlet) Width() int { return width }

// width is how many attempts at stored deliveries one destination of one route
// gets at once.
const width = 256

// Breaker is shared by all outlets that lead to the same place.
func (o *outlet) Breaker() *attempt.Breaker { return &o.lane.breaker }

// Leave ends a use that [Hub.Outlet] began.
func (o *outlet) Leave() { o.wiring.leave() }

// errGone is met where a destination has said that it is gone (HTTP's 410).
var errGone = keg.Permanent(errors.New("the destination has said that it is gone; it gets nothing more until the routes that name it are loaded again"))

// Attempt is one Send within the destination's own time. A panic of the sink
// comes back as an error.
func (o *outlet) Attempt(ctx context.Context, e *keg.Event) error {
	if o.lane.gone.Load() {
		return errGone
	}
	err := o.send(ctx, e)
	if err != nil && keg.IsGone(err) && !o.lane.gone.Swap(true) {
		o.wiring.hub.log.Error("a destination has said that it is gone, and gets nothing more until the routes that name it are loaded again",
			"route", o.route, "destination", o.destination.Name, "error", err)
	}
	return err
}

func (o *outlet) send(ctx context.Context, e *keg.Event) (err error) {
	if limit := o.destination.Timeout; limit > 0 {
		end := time.Now().Add(limit)
		if earlier, ok := ctx.Deadline(); !ok || end.Before(earlier) {
			bounded := endingAt(ctx, end)
			defer bounded.end()
			ctx = bounded
		}
	}
	defer func() {
		if p := recover(); p != nil {
			err = caught(p)
		}
	}()
	if o.destination.Transform != nil {
		if e, err = o.destination.Transform.Apply(e); err != nil {
			return err
		}
	}
	return o.sink.Send(ctx, e)
}

// IsFault reports whether err is a panic, and logs it.
func (o *outlet) IsFault(err error) bool {
	fault, ok := errors.AsType[*PanicError](err)
	if ok {
		o.wiring.hub.panicked(place(o.route, o.destination), "", fault)
	}
	return ok
}

// Bury is what a dead letter owes to the route's dead-letter destination.
func (o *outlet) Bury(dead *keg.DeadLetter) *outbox.Entry {
	if o.deadLetter == nil {
		return nil
	}
	return &outbox.Entry{Event: withStory(dead), Owed: []*outbox.Owed{{Queue: o.deadLetter.queue}}}
}

// attempted tells whoever watches.
func (o *outlet) attempted(e *keg.Event, took time.Duration, err error) {
	if o.watch != nil {
		o.watch.Attempted(o.queue, o.lane.label, e, took, err)
	}
}

// PanicError is a fault of KEG itself, met while it worked on one event. Its
// text tells a sender nothing of the fault; the log has it.
type PanicError struct {
	value any
	stack []byte
}

func caught(value any) *PanicError { return &PanicError{value, debug.Stack()} }

func (*PanicError) Error() string { return "an internal error, which the log of KEG describes" }

// Cause is the text for the log: the panic's value and its stack.
func (e *PanicError) Cause() string { return fmt.Sprintf("%v\n%s", e.value, e.stack) }
