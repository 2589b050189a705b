//go:build real

package sinks

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/kong/keg"
)

// load is a few senders that send one event after the other, each until it is
// taken. It counts what an event would have paid: the attempts that failed and
// were no outage.
type load struct {
	t       *testing.T
	stop    chan struct{}
	senders sync.WaitGroup

	mu      sync.Mutex
	taken   map[string]time.Time // by id, when the Send began that took it
	tries   map[string]int       // Sends, by id
	spent   map[string]int       // of them those that count against the event
	classes map[string]int       // Sends, by what became of them
	last    map[string]string    // an error of each class
}

func startLoad(t *testing.T, sink keg.Sink, limit time.Duration) *load {
	l := &load{
		t: t, stop: make(chan struct{}),
		taken: map[string]time.Time{}, tries: map[string]int{}, spent: map[string]int{},
		classes: map[string]int{}, last: map[string]string{},
	}
	for s := range 8 {
		l.senders.Go(func() {
			for i := 0; ; i++ {
				if !l.deliver(sink, fmt.Sprintf("%d-%d", s, i), limit) {
					return
				}
			}
		})
	}
	t.Cleanup(l.end)
	return l
}

// deliver sends an event until it is taken, or reports false where it never is.
func (l *load) deliver(sink keg.Sink, id string, limit time.Duration) bool {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		began := time.Now()
		err := sink.Send(ctx, testEvent(id))
		cancel()
		got := class(err)
		l.mu.Lock()
		l.tries[id]++
		l.classes[got]++
		switch {
		case err == nil:
			l.taken[id] = began
		case got != "outage":
			l.spent[id]++
			fallthrough
		default:
			l.last[got] = err.Error()
		}
		l.mu.Unlock()
		if keg.IsPermanent(err) {
			l.t.Errorf("a permanent error: %v", err)
			return false
		}
		pause := time.Millisecond
		if err != nil {
			pause = 200 * time.Millisecond // the first of the hub's pauses
		}
		select {
		case <-l.stop:
			return false
		case <-time.After(pause):
		}
		if err == nil {
			return true
		}
	}
}

// end stops the senders. It may be called again.
func (l *load) end() {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.senders.Wait()
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.taken)
}

// more waits until n more events are taken.
func (l *load) more(n int) {
	l.t.Helper()
	want := l.count() + n
	for deadline := time.Now().Add(2 * time.Minute); l.count() < want; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			l.t.Fatalf("only %d events were taken in two minutes, want %d; %v", l.count(), want, l.last)
		}
	}
}

// failing waits until Sends fail.
func (l *load) failing() {
	l.t.Helper()
	eventually(l.t, "Sends fail", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.classes["outage"]+l.classes["transient"] > 0
	})
}

// report logs what happened, and returns the most attempts that one event spent.
func (l *load) report() (most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.spent {
		most = max(most, n)
	}
	l.t.Logf("%d events taken; Sends: %v; at most %d attempts of one event were spent; last errors: %q", len(l.taken), l.classes, most, l.last)
	return most
}
