package sources

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/kong/keg"
)

// handover brings what a broker gave to the intake, and does not let go before
// it is safe: published, or kept as a dead letter.
type handover struct {
	in   keg.Intake
	log  *slog.Logger
	name string // of the source
}

const (
	firstPause = 100 * time.Millisecond
	mostPause  = 10 * time.Second
)

// settle blocks until every item is safe, and tries again for as long as stop
// goes on; the calls themselves run under calls, which outlives it. It returns
// how many of the first items are safe, all of them but where it was stopped.
func (h *handover) settle(stop, calls context.Context, items []item, trouble *complaint) int {
	waits := backoff{first: firstPause, most: mostPause}
	indexes := make([]int, len(items))
	for i := range items {
		indexes[i] = i
	}
	pending := indexes
	for {
		var err error
		if pending, err = h.attempt(calls, items, pending); len(pending) == 0 {
			trouble.over("events are taken again", "source", h.name)
			return len(items)
		}
		if stop.Err() != nil {
			return pending[0]
		}
		trouble.tell("events are not taken; the source waits and tries them again", err,
			"source", h.name, "at", items[pending[0]].at.String(), "events", len(pending))
		if !waits.wait(stop, askedFor(err)) {
			return pending[0]
		}
	}
}

// askedFor is how long an error's maker wants to be left alone.
func askedFor(err error) time.Duration {
	var busy *keg.BusyError
	if errors.As(err, &busy) {
		return busy.After
	}
	delay, _ := keg.RetryDelay(err)
	return delay
}

// attempt makes one try of the pending items, in their order, and returns those
// that are not safe yet, with the error of the first. An event that is refused
// for good becomes a dead letter within the same attempt.
func (h *handover) attempt(ctx context.Context, items []item, pending []int) (left []int, first error) {
	events := make([]*keg.Event, 0, len(pending))
	for _, i := range pending {
		if items[i].event != nil {
			events = append(events, items[i].event)
		}
	}
	var receipts keg.Receipts
	if len(events) > 0 {
		receipts, first = h.publish(ctx, events)
		if count, _ := receipts.Refused(); first == nil && count == 0 && len(events) == len(pending) {
			return nil, nil // as nearly always
		}
	}
	var dead []*keg.DeadLetter
	outcome := make(map[int]error) // of those that are not safe; nil for a dead letter to be kept
	for _, i := range pending {
		if items[i].event == nil {
			dead = append(dead, items[i].dead)
			outcome[i] = nil
			continue
		}
		err := first
		if len(receipts) > 0 {
			err, receipts = receipts[0].Err, receipts[1:]
		}
		switch {
		case err == nil:
		case keg.IsFinal(err):
			items[i] = items[i].abandoned(items[i].event, keg.ReasonOf(err), err)
			dead = append(dead, items[i].dead)
			outcome[i] = nil
		default:
			outcome[i] = err
		}
	}
	var kept error
	if len(dead) > 0 {
		kept = h.abandon(ctx, dead)
	}
	for _, i := range pending {
		err, unsafe := outcome[i]
		if !unsafe {
			continue
		}
		if items[i].event == nil {
			if kept == nil {
				continue
			}
			err = kept
		}
		if len(left) == 0 {
			first = err
		}
		left = append(left, i)
	}
	return left, first
}

// publish hands events over. An error is one of the call as a whole.
func (h *handover) publish(ctx context.Context, events []*keg.Event) (receipts keg.Receipts, err error) {
	defer h.recover(&err)
	receipts = h.in.Publish(ctx, events...)
	if len(receipts) != len(events) {
		return nil, fmt.Errorf("%d events were handed on, and %d receipts came back", len(events), len(receipts))
	}
	return receipts, nil
}

func (h *handover) abandon(ctx context.Context, dead []*keg.DeadLetter) (err error) {
	defer h.recover(&err)
	if err := h.in.Abandon(ctx, dead...); err != nil {
		return fmt.Errorf("a dead letter cannot be kept: %w", err)
	}
	return nil
}

// recover makes a panic behind the intake an error like any other: the events
// are not safe, and the process lives on.
func (h *handover) recover(err *error) {
	if fault := recover(); fault != nil {
		h.log.Error("a source's events made KEG panic", "source", h.name, "panic", fault, "stack", string(debug.Stack()))
		*err = errors.New("internal error; the log says more")
	}
}

// outliving returns a context for calls under way: it ends grace after stop has,
// or with cancel.
func outliving(stop context.Context, grace time.Duration) (calls context.Context, cancel func()) {
	calls, end := context.WithCancel(context.WithoutCancel(stop))
	release := context.AfterFunc(stop, func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			end()
		case <-calls.Done():
		}
	})
	return calls, func() { release(); end() }
}
