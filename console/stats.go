package console

import (
	"context"
	"sync"
	"time"

	"github.com/kong/keg/outbox"
)

const (
	// statsAge is how old the store's figures may be: whoever asks in a loop
	// costs the store one count a second.
	statsAge = time.Second
	// statsTimeout bounds the time that a store may take to count.
	statsTimeout = 2 * time.Second
)

// statistics reads a store's figures for all who ask.
type statistics struct {
	store outbox.Store // nil without persistence
	mu    sync.Mutex
	read  time.Time
	count count
	err   error
}

// count is what a store held.
type count struct {
	outbox.Stats
	began time.Time // what was put or settled before is in it
}

// get returns figures of the last second. Whoever asks first counts for the
// others, so that the count does not end with a request.
func (s *statistics) get(ctx context.Context) (count, error) {
	if s.store == nil {
		return count{}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.read) > statsAge {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statsTimeout)
		defer cancel()
		s.count.began = time.Now()
		s.count.Stats, s.err = s.store.Stats(ctx)
		s.read = time.Now()
	}
	return s.count, s.err
}

// backlog adds up what waits in queues: how many, and the oldest of them.
func backlog(queues []outbox.QueueStats) (waiting int64, oldest time.Time) {
	for _, q := range queues {
		waiting += q.Waiting
		if !q.Oldest.IsZero() && (oldest.IsZero() || q.Oldest.Before(oldest)) {
			oldest = q.Oldest
		}
	}
	return waiting, oldest
}

// age is how long ago t was: 0 where it is zero, or ahead of this machine's clock.
func age(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return max(0, time.Since(t))
}
