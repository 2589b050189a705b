package hub

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/kong/keg"
)

const (
	// firstBackoff and maxBackoff hold where a destination says nothing else.
	firstBackoff = 200 * time.Millisecond
	maxBackoff   = time.Minute
	// maxRetryAfter is how long a destination's Retry-After is obeyed.
	maxRetryAfter = 5 * time.Minute
)

// ending is why no further attempt was made. It is the reason of a dead letter.
type ending string

const (
	taken    ending = ""
	refused  ending = "refused"        // for good, by the destination
	spent    ending = "attempts-spent" // all attempts, each failing
	late     ending = "timeout"        // no time for another attempt
	canceled ending = "canceled"       // the sender, or KEG, is going
	broken   ending = "internal-error" // a panic
)

// outcome is how the attempts at one delivery went.
type outcome struct {
	attempts    int
	first, last time.Time // when they began
	ending      ending
	err         error // nil where the destination has the event
}

// try attempts to deliver e to o until o has it, o refuses it for good, all
// attempts are spent, or ctx has no time for another one.
func try(ctx context.Context, o *outlet, e *keg.Event) outcome {
	var out outcome
	for {
		if ctx.Err() != nil {
			return out.cut(ctx, nil)
		}
		out.last = time.Now()
		if out.attempts++; out.attempts == 1 {
			out.first = out.last
		}
		err := o.attempt(ctx, e)
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
// It never begins to wait for a moment that ctx does not reach.
func (out *outcome) pause(ctx context.Context, retry keg.Retry) bool {
	wait := jitter(backoff(retry, out.attempts))
	asked, ok := keg.RetryDelay(out.err)
	if ok {
		wait = max(wait, min(asked, maxRetryAfter))
	}
	if deadline, bounded := ctx.Deadline(); bounded && time.Until(deadline) <= wait {
		out.ending = late
		if ok && asked >= wait {
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

// backoff is the longest wait after so many failed attempts.
func backoff(retry keg.Retry, attempts int) time.Duration {
	first, most := retry.Backoff, retry.MaxBackoff
	if first <= 0 {
		first = firstBackoff
	}
	if most <= 0 {
		most = maxBackoff
	}
	for range attempts - 1 {
		if first >= most-first { // doubled, it would reach the cap
			return most
		}
		first *= 2
	}
	return min(first, most)
}

// jitter picks a wait of up to longest (full jitter), so that many deliveries
// that failed together do not come back together.
func jitter(longest time.Duration) time.Duration {
	return rand.N(max(longest, 1))
}
