//go:build linux

package main

import (
	"fmt"
	"sync"
	"time"
)

// ledger is what a receiver has of the events 1 to n.
type ledger struct {
	events *events
	full   chan struct{} // closed when every event is there

	mu          sync.Mutex
	seen        []bool // by number
	distinct    int
	doubled     int
	wrong       error // the first that was not as it was sent
	first, last time.Time
}

func newLedger(e *events, n int) *ledger {
	return &ledger{events: e, full: make(chan struct{}), seen: make([]bool, n+1)}
}

// take notes an event that arrived.
func (l *ledger) take(data []byte) {
	number, err := l.events.number(data)
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && (number < 1 || number >= len(l.seen)) {
		err = fmt.Errorf("event %d arrived, which was never sent", number)
	}
	if err != nil {
		if l.wrong == nil {
			l.wrong = err
		}
		return
	}
	if l.seen[number] {
		l.doubled++
		return
	}
	l.seen[number] = true
	if l.distinct++; l.distinct == 1 {
		l.first = now
	}
	l.last = now
	if l.distinct == len(l.seen)-1 {
		close(l.full)
	}
}

// await waits for every event, and returns how many arrived a second, between
// the first and the last. What is lost has no figure.
func (l *ledger) await(patience time.Duration) (rate float64, doubled int, err error) {
	select {
	case <-l.full:
	case <-time.After(patience):
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wrong != nil {
		return 0, 0, l.wrong
	}
	if lost := len(l.seen) - 1 - l.distinct; lost > 0 {
		return 0, 0, fmt.Errorf("%d of %d events did not arrive within %v", lost, len(l.seen)-1, patience)
	}
	return float64(l.distinct) / l.last.Sub(l.first).Seconds(), l.doubled, nil
}
