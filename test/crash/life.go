package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// inFlight are values of KEG_MAX_IN_FLIGHT: with few, most of what is stored is
// read from the store again.
var inFlight = []int{50, 500, 10_000}

func (h *harness) start() error {
	if err := h.node.start(inFlight[h.random.IntN(len(inFlight))]); err != nil {
		return err
	}
	return h.node.listens(h.patience)
}

// oneLife starts the node, lets it live, and ends it: mostly by a kill while it
// works, else while it starts and recovers, or while it stops; sometimes in order.
// In some lives the receiver goes away, or the routes are reloaded.
func (h *harness) oneLife(ctx context.Context) error {
	if h.random.IntN(100) < 15 {
		if err := h.node.start(inFlight[h.random.IntN(len(inFlight))]); err != nil {
			return err
		}
		if err := h.node.live(h.upTo(200 * time.Millisecond)); err != nil {
			return err
		}
		h.killed()
		return ctx.Err()
	}
	if err := h.start(); err != nil {
		return err
	}
	if h.random.IntN(8) == 0 {
		h.receiver.leave(h.upTo(500 * time.Millisecond))
	}
	rest := 50*time.Millisecond + h.upTo(1950*time.Millisecond)
	if h.random.IntN(4) == 0 { // the same routes, over new sinks
		first := h.upTo(rest)
		if err := errors.Join(h.node.live(first), h.node.cmd.Process.Signal(syscall.SIGHUP)); err != nil {
			return err
		}
		rest -= first
	}
	if err := h.node.live(rest); err != nil {
		return err
	}
	switch p := h.random.IntN(100); {
	case p < 15:
		killed, err := h.node.terminate(h.upTo(500 * time.Millisecond))
		if killed {
			h.killed()
		} else {
			h.stopped()
		}
		return errors.Join(err, ctx.Err())
	case p < 20:
		return errors.Join(h.end(), ctx.Err())
	}
	h.killed()
	return ctx.Err()
}

func (h *harness) upTo(most time.Duration) time.Duration {
	return time.Duration(h.random.Int64N(int64(most)))
}

// stopPatience is how long a node may take to stop in order: it waits for what is
// under way.
const stopPatience = 60 * time.Second

// end stops the node in order.
func (h *harness) end() error {
	killed, err := h.node.terminate(stopPatience)
	if killed {
		err = fmt.Errorf("keg has not stopped within %v", stopPatience)
	}
	h.stopped()
	return err
}

func (h *harness) killed() {
	h.node.kill()
	h.ledger.stopped()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kills++
}

func (h *harness) stopped() {
	h.ledger.stopped()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stops++
}
