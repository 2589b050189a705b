package plugins

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// The bounds on what log phases leave behind. An entry is 2 KiB as a rule.
const (
	maxLogEntries = 10_000
	maxLogBytes   = 64 << 20
)

// LogRoom holds what the log phases of a node's plugins leave behind, and what
// kafka-upstream has answered and not yet sent, until it is published: Kong's
// worker does not wait for that, in one of the few timers that all log phases
// share. It is bounded in count and in bytes. An instance may hold no more of
// either than what is still free, so that one which cannot get rid of its entries
// takes half at most, and the others find room. What does not fit is dropped,
// counted, and told of in the log now and then. It is safe for concurrent use.
type LogRoom struct {
	log               *slog.Logger
	maxCount, maxSize int64
	dropped           atomic.Int64
	tells             rate.Sometimes

	mu          sync.Mutex
	count, size int64
	shut        bool
	empty       chan struct{} // made by Close where it has to wait

	life context.Context // of all publishing
	cut  context.CancelFunc
}

// NewLogRoom returns an empty room. A nil log: nobody.
func NewLogRoom(log *slog.Logger) *LogRoom {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	r := &LogRoom{log: log, maxCount: maxLogEntries, maxSize: maxLogBytes, tells: rate.Sometimes{First: 10, Interval: 10 * time.Second}}
	r.life, r.cut = context.WithCancel(context.Background())
	return r
}

// LogRoomStats tell of a room. Dropped counts since it was made; the others are
// what waits or is being published now.
type LogRoomStats struct{ Entries, Bytes, Dropped int64 }

// Stats returns the room's figures.
func (r *LogRoom) Stats() LogRoomStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return LogRoomStats{r.count, r.size, r.dropped.Load()}
}

// Close takes nothing more and waits until all is published, or ctx ends: then
// what is left is dropped, each queue as soon as it hears of it. A node closes
// its room after its plugin server and before its hub.
func (r *LogRoom) Close(ctx context.Context) error {
	r.mu.Lock()
	r.shut = true
	if r.count > 0 && r.empty == nil {
		r.empty = make(chan struct{})
	}
	left, empty := r.count, r.empty
	r.mu.Unlock()
	defer r.cut()
	if left == 0 {
		return nil
	}
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%d entries of log phases were not published in time: %w", r.Stats().Entries, ctx.Err())
	}
}

// share is what one queue holds of a room; guarded by the room's mutex.
type share struct{ count, size int64 }

// take reports whether there is room for one more. What would be alone is let in
// whatever its size.
func (r *LogRoom) take(s *share, size int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	free, freeSize := r.maxCount-r.count, r.maxSize-r.size // before it came
	switch {
	case r.shut, free < 1, freeSize < size && r.count > 0:
		return false
	case s.count > 0 && (s.count+1 > free || s.size+size > freeSize):
		return false
	}
	r.count, r.size = r.count+1, r.size+size
	s.count, s.size = s.count+1, s.size+size
	return true
}

func (r *LogRoom) free(s *share, count, size int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count, r.size = r.count-count, r.size-size
	s.count, s.size = s.count-count, s.size-size
	if r.count == 0 && r.empty != nil {
		close(r.empty)
		r.empty = nil
	}
}

// drop counts an entry that is lost, and tells of the first ten, then of one
// every ten seconds, each with the count of all.
func (r *LogRoom) drop(plugin string, request func() string, why error) {
	count := r.dropped.Add(1)
	r.tells.Do(func() {
		r.log.Warn("an entry of a log phase was dropped", "plugin", plugin, "request", request(), "error", why, "dropped_so_far", count)
	})
}
