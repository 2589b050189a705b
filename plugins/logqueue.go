package plugins

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/kong/keg"
)

// logBatch is how many entries are published at once, at most: under `ack:
// stored` they share a sync of the store.
const logBatch = 64

// logQueue is what one instance's log phases have left behind, first in, first
// out. While it is not empty one goroutine publishes it; it has none otherwise,
// for there may be thousands of instances.
type logQueue[T any] struct {
	room *LogRoom
	// publish is called with up to logBatch entries, by one goroutine at a time.
	// It drops what it cannot publish, and returns soon after ctx has ended.
	publish func(ctx context.Context, entries []T)

	life context.Context
	cut  context.CancelFunc

	share share

	mu      sync.Mutex
	waiting []queued[T]
	busy    bool // there is a goroutine
	shut    bool
	ended   chan struct{} // closed when it is shut and empty
}

type queued[T any] struct {
	entry T
	size  int64
}

func newLogQueue[T any](room *LogRoom, publish func(context.Context, []T)) *logQueue[T] {
	q := &logQueue[T]{room: room, publish: publish, ended: make(chan struct{})}
	q.life, q.cut = context.WithCancel(room.life)
	return q
}

// put takes an entry of about so many bytes, or returns a [*keg.BusyError]. It
// does not block.
func (q *logQueue[T]) put(entry T, size int64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.shut || !q.room.take(&q.share, size) {
		return errLogRoom
	}
	q.waiting = append(q.waiting, queued[T]{entry, size})
	if !q.busy {
		q.busy = true
		go q.run()
	}
	return nil
}

var errLogRoom = &keg.BusyError{Problem: "too many entries of log phases wait to be published"}

// run publishes until nothing waits.
func (q *logQueue[T]) run() {
	for {
		batch, size := q.next()
		if len(batch) == 0 {
			return
		}
		q.guarded(batch)
		q.room.free(&q.share, int64(len(batch)), size)
	}
}

// next takes the oldest entries off the queue; none is the goroutine's end.
func (q *logQueue[T]) next() (batch []T, size int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), logBatch)
	if n == 0 {
		q.busy, q.waiting = false, nil
		if q.shut {
			q.end()
		}
		return nil, 0
	}
	batch = make([]T, n)
	for i, one := range q.waiting[:n] {
		batch[i] = one.entry
		size += one.size
	}
	clear(q.waiting[:n]) // lest what lies behind keeps them alive
	q.waiting = q.waiting[n:]
	return batch, size
}

// guarded keeps a fault of publish from ending the process: no phase of Kong's
// is there to catch it.
func (q *logQueue[T]) guarded(batch []T) {
	defer func() {
		if fault := recover(); fault != nil {
			q.room.log.Error("a fault of KEG was caught", "where", "the queue of a log phase", "entries", len(batch),
				"cause", fmt.Sprintf("%v\n%s", fault, debug.Stack()))
			q.room.dropped.Add(int64(len(batch))) // at most
		}
	}()
	q.publish(q.life, batch)
}

// close takes nothing more, and returns a channel that is closed when what waits
// has been published. It does not block, and is called once.
func (q *logQueue[T]) close() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.shut = true
	if !q.busy {
		q.end()
	}
	return q.ended
}

func (q *logQueue[T]) end() {
	close(q.ended)
	q.cut()
}
