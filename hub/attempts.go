package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/attempt"
)

// ending is why no further attempt was made.
type ending string

const (
	taken    ending = ""
	refused  ending = "refused"   // for good, by the destination
	spent    ending = "exhausted" // all attempts, each failing
	late     ending = "expired"   // no time for another attempt
	canceled ending = "canceled"  // the sender, or KEG, is going
	broken   ending = "internal"  // a panic
	away     ending = "away"      // not attempted: the destination is known to be away
)

// outcome is how the attempts at one delivery went.
type outcome struct {
	attempts    int
	first, last time.Time // when they began
	ending      ending
	err         error // nil where the destination has the event
}

// try attempts to deliver e to o until o has it, o refuses it for good, all
// attempts are spent, or ctx has no time for another one. A destination that is
// known to be away is not tried at all.
func try(ctx context.Context, o *outlet, e *keg.Event) outcome {
	var out outcome
	breaker := &o.lane.breaker
	for {
		if ctx.Err() != nil {
			return out.cut(ctx, nil)
		}
		pass, ok, wait := breaker.Enter()
		switch {
		case !ok && out.attempts == 0:
			return out.end(away, &keg.BusyError{Problem: o.destination.Name + " is known to be away", After: wait})
		case !ok && !out.wait(ctx, wait):
			return out
		case !ok:
			continue
		}
		out.last = time.Now()
		if out.attempts++; out.attempts == 1 {
			out.first = out.last
		}
		err := o.Attempt(ctx, e)
		took := time.Since(out.last)
		breaker.Leave(pass, attempt.Judge(err, took, o.Timeout()), err)
		o.attempted(e, took, err)
		if err == nil {
			out.err, out.ending = nil, taken
			return out
		}
		if _, ok := err.(*PanicError); ok {
			return out.end(broken, err)
		}
		if keg.IsPermanent(err) {
			return out.end(refused, err)
		}
		if ctx.Err() != nil {
			return out.cut(ctx, err)
		}
		if out.attempts >= o.destination.Retry.MaxAttempts {
			return out.end(spent, err)
		}
		out.err = err
		if !out.pause(ctx, o.destination.Retry) {
			return out
		}
	}
}

func (out outcome) end(why ending, err error) outcome {
	out.ending, out.err = why, err
	return out
}

// cut ends the attempts because ctx has ended. err is the error of the attempt
// that was under way, if one was; what the attempt before it met is kept too,
// for it tells more of the destination than that time ran out.
func (out outcome) cut(ctx context.Context, err error) outcome {
	out.ending = late
	if errors.Is(ctx.Err(), context.Canceled) {
		out.ending = canceled
	}
	before := out.err
	switch {
	case err == nil && before == nil:
		out.err = fmt.Errorf("not attempted: %w", ctx.Err())
		return out
	case err == nil:
		out.err = ctx.Err()
	case errors.Is(err, ctx.Err()):
		out.err = err
	default:
		out.err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	if before != nil {
		out.err = fmt.Errorf("%w; the attempt before: %w", out.err, before)
	}
	return out
}

// pause waits until the next attempt may be made, and reports whether it may.
func (out *outcome) pause(ctx context.Context, retry keg.Retry) bool {
	return out.wait(ctx, attempt.Wait(retry, out.attempts, out.err))
}

// wait never begins to wait for a moment that ctx does not reach.
func (out *outcome) wait(ctx context.Context, wait time.Duration) bool {
	if deadline, bounded := ctx.Deadline(); bounded && time.Until(deadline) <= wait {
		out.ending = late
		if asked, ok := keg.RetryDelay(out.err); ok && asked >= wait {
			// The destination did answer: it is busy, not silent.
			out.err = fmt.Errorf("%w; it asks to be left alone for %v, and there is no time for that", out.err, asked)
		} else {
			out.err = fmt.Errorf("%w; the attempt before: %w", context.DeadlineExceeded, out.err)
		}
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done(): // the next turn says so
	}
	return true
}
