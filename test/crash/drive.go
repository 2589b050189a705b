package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// harness is one run under way.
type harness struct {
	config
	ledger   *ledger
	receiver *receiver
	node     *node
	random   *rand.Rand

	mu           sync.Mutex // guards what progress shows
	kills, stops int
}

// drive sends under kills, then lets the node deliver what it owes, stop in
// order, and show that it owes nothing any more.
func (h *harness) drive(ctx context.Context, random func(stream uint64) *rand.Rand) error {
	more, enough := context.WithCancel(ctx)
	defer enough()
	var senders sync.WaitGroup
	limit := rate.NewLimiter(rate.Limit(h.rate), 10)
	var all []*sender
	send := func(name, url string, stream uint64, run func(s *sender, ctx, more context.Context)) {
		s := newSender(name, url, h.ledger, random(stream), limit)
		all = append(all, s)
		senders.Go(func() { run(s, ctx, more) })
	}
	for i := range h.senders {
		send(fmt.Sprint("http", i), "http://"+h.node.source+"/", uint64(100+i), (*sender).run)
	}
	for i := range h.batchers {
		send(fmt.Sprint("batch", i), "http://"+h.node.source+"/", uint64(200+i), (*sender).runBatches)
	}
	if h.kongSenders > 0 {
		url, stop, err := startGateway(ctx, h.node)
		if err != nil {
			return err
		}
		defer stop()
		for i := range h.kongSenders {
			send(fmt.Sprint("kong", i), url, uint64(300+i), (*sender).run)
		}
	}
	for h.kills < h.config.kills {
		if err := h.oneLife(ctx); err != nil {
			return fmt.Errorf("after %d kills: %w", h.kills, err)
		}
	}

	if err := h.start(); err != nil {
		return err
	}
	if err := h.lively(ctx); err != nil {
		return err
	}
	h.receiver.well.Store(true)
	enough()
	if err := h.lastWords(&senders); err != nil {
		return err
	}
	for _, s := range all {
		if s.acknowledged == 0 {
			h.ledger.note(other, "%s: nothing that it sent was acknowledged", s.name)
		}
	}
	if err := h.drained(ctx); err != nil {
		return err
	}
	if h.ledger.owed() == 0 {
		if err := h.tellsTheTruth(ctx); err != nil {
			return err
		}
	}
	if err := h.end(); err != nil {
		return err
	}
	return h.nothingMore(ctx)
}

// lively waits until the least that makes a run worth something is acknowledged.
func (h *harness) lively(ctx context.Context) error {
	last, since := 0, time.Now()
	for {
		f, _, _ := h.ledger.sofar()
		if f.Acknowledged > last {
			last, since = f.Acknowledged, time.Now()
		}
		switch {
		case f.Acknowledged >= h.least:
			return nil
		case time.Since(since) > h.patience:
			return fmt.Errorf("only %d events were acknowledged, of %d at least: %s", f.Acknowledged, h.least, h.ledger.lastRefusal())
		}
		if err := errors.Join(h.node.live(50*time.Millisecond), ctx.Err()); err != nil {
			return err
		}
	}
}

// lastWords waits until each sender's last event is acknowledged.
func (h *harness) lastWords(senders *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() { senders.Wait(); close(done) }()
	for deadline := time.Now().Add(h.patience); ; {
		select {
		case <-done:
			return nil
		default:
		}
		if err := h.node.live(10 * time.Millisecond); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the senders' last events are not acknowledged after %v, though nobody is killed: %s", h.patience, h.ledger.lastRefusal())
		}
	}
}

// drained waits until everything acknowledged has arrived, or nothing has gone
// forward for the patience that there is: then what is missing is lost.
func (h *harness) drained(ctx context.Context) error {
	owed, since := h.ledger.owed(), time.Now()
	for owed > 0 && time.Since(since) < h.patience {
		if err := h.node.live(50 * time.Millisecond); err != nil {
			return err
		}
		if now := h.ledger.owed(); now < owed {
			owed, since = now, time.Now()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// nothingMore starts the node once more. Everything was delivered and settled
// before it stopped in order, so nothing may come again.
func (h *harness) nothingMore(ctx context.Context) error {
	before, _, _ := h.ledger.sofar()
	if err := h.start(); err != nil {
		return err
	}
	if err := h.node.live(2 * time.Second); err != nil {
		return err
	}
	if after, _, _ := h.ledger.sofar(); after.Arrived > before.Arrived {
		h.ledger.note(repeated, "%d events came again after an orderly stop", after.Arrived-before.Arrived)
	}
	return errors.Join(h.end(), ctx.Err())
}
