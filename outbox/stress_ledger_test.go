package outbox_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// ledger is what was put and what came of it, by queue and id.
type ledger struct {
	mu      sync.Mutex
	owed    map[string]*account
	inOrder map[string]int // by queue and key: the number that came last
	faults  []string
}

type account struct {
	taken   int
	unknown int // attempts that may have delivered, and did not tell
	refused bool
}

func (l *ledger) of(queue, id string) *account {
	name := queue + " " + id
	if l.owed[name] == nil {
		l.owed[name] = &account{}
	}
	return l.owed[name]
}

func (l *ledger) wrong(format string, args ...any) {
	if len(l.faults) < 20 {
		l.faults = append(l.faults, fmt.Sprintf(format, args...))
	}
}

// waiting counts what is owed.
func (s *stressed) waiting() (n int64) {
	stats, err := s.rig.store.Stats(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, q := range stats.Queues {
		n += q.Waiting
	}
	return n
}

// tell describes what is stuck, where something is.
func (s *stressed) tell() {
	if !s.t.Failed() {
		return
	}
	deliveries, bytes := s.Held()
	s.t.Logf("%d deliveries and %d bytes are held, of %d and %d", deliveries, bytes, s.options.MaxHeld, s.options.MaxHeldBytes)
	ready, again, err := s.rig.store.Ready(context.Background())
	s.t.Logf("ready: %v, again in %v, %v", ready, time.Until(again), err)
	stats, err := s.rig.store.Stats(context.Background())
	s.t.Logf("waiting: %+v, %v", stats.Queues, err)
	for q, o := range s.outlets {
		s.t.Logf("%s: width %d, %+v, %d taken", q.Destination, o.width, o.breaker.Status(), len(o.taken()))
	}
}

// count looks at how every delivery has ended.
func (s *stressed) count() {
	dead := map[string]keg.Reason{}
	for after := ""; ; {
		letters, err := s.rig.store.DeadLetters(context.Background(), outbox.Filter{}, after, 1000)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, d := range letters {
			dead[d.Destination+" "+d.Event.ID] = d.Reason
			after = d.ID
		}
		if len(letters) == 0 {
			break
		}
	}
	l := &s.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	reasons := map[keg.Reason]int{}
	for name, a := range l.owed {
		reason, died := dead[name]
		reasons[reason]++
		switch {
		case !died && a.taken == 0:
			l.wrong("%s is lost", name)
		case a.taken > 1+a.unknown+s.stops:
			l.wrong("%s was taken %d times, %d answers got lost", name, a.taken, a.unknown)
		case died && a.taken > a.unknown+s.stops:
			l.wrong("%s was taken, and is a dead letter (%s)", name, reason)
		case a.refused != (reason == keg.ReasonRefused) && s.stops == 0: // of which a stop may make it forget
			l.wrong("%s was refused: %t; it is a dead letter of reason %q", name, a.refused, reason)
		case reason == keg.ReasonExpired && name[:2] != "d1":
			l.wrong("%s has expired", name)
		case reason == keg.ReasonNoDestination && name[:2] != "d3", reason == keg.ReasonInternal:
			l.wrong("%s: %s", name, reason)
		}
		delete(dead, name)
	}
	for name := range dead {
		l.wrong("%s is a dead letter that nobody owed", name)
	}
	for _, fault := range l.faults {
		s.t.Error(fault)
	}
	s.t.Log(reasons, s.stops, "abrupt stops")
}
