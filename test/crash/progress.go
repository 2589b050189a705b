package main

import (
	"context"
	"fmt"
	"time"
)

// showProgress writes a line every second until the returned function is called.
func (h *harness) showProgress(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	every := time.Second
	if h.line == "\n" {
		every = 10 * time.Second
	}
	go func() {
		defer close(ended)
		for tick := time.Tick(every); ; {
			select {
			case <-ctx.Done():
				return
			case <-tick:
			}
			f, _, faults := h.ledger.sofar()
			h.mu.Lock()
			fmt.Fprintf(h.progress, "crash: %d/%d kills, %d orderly stops; %d events sent, %d acknowledged, %d deliveries, %d repeats; %d faults; seed %d  %s",
				h.kills, h.config.kills, h.stops, f.Sent, f.Acknowledged, f.Taken, f.Repeats, faults, h.seed, h.line)
			h.mu.Unlock()
		}
	}()
	return func() { cancel(); <-ended }
}
