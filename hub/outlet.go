package hub

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/kong/keg"
)

// outlet is one destination of one route, opened.
type outlet struct {
	route       string // "" for a destination of `unmatched`
	destination *keg.Destination
	sink        keg.Sink
	lane        *lane
	deadLetter  *outlet // nil where the route has none
}

// attempt is one Send within the destination's own time. A panic of the sink
// comes back as an error.
func (o *outlet) attempt(ctx context.Context, e *keg.Event) (err error) {
	if limit := o.destination.Timeout; limit > 0 {
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > limit {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, limit)
			defer cancel()
		}
	}
	defer func() {
		if p := recover(); p != nil {
			err = caught(p)
		}
	}()
	return o.sink.Send(ctx, e)
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
