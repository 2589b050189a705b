package embedded

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// Store is an [outbox.Store] in a directory.
type Store struct {
	dir  string
	disk vfs.FS
	log  *slog.Logger
	o    Options
	lock io.Closer

	inbox    *inbox
	patience patience
	broken   chan *engine
	changed  chan struct{}
	stop     chan struct{}
	working  sync.WaitGroup // the committer
	keeping  sync.WaitGroup // the keeper and the sweeper
	problem  atomic.Pointer[outbox.UnavailableError]
	overfull atomic.Bool
	pressure atomic.Bool
	bytes    atomic.Int64
	cuts     atomic.Int64
	damage   damage

	// mu guards what follows, and is held while a batch is written to the log, so
	// that the order of the log is the order of what is known in memory.
	mu        sync.Mutex
	engine    *engine // nil while there is none that works
	queues    map[outbox.Queue]*queue
	lastQueue uint32
	seq       uint64   // the last that was given
	reserved  uint64   // the last that may be given without a word on disk
	flying    *group   // that is written and not yet synced
	fresh     bool     // something was stored, unheld, that Changed has not told of
	undo      []*group // that failed, and may be on disk all the same
	held      map[uint64]*held
	dead      map[keg.Reason]int64
	swept     []byte // where the next sweep of dedupe marks begins
}

var _ outbox.Store = (*Store)(nil)

// Open opens the store in dir, or makes it there when dir is empty or absent.
// One process has it at a time. Its error is an [*OpenError], unless the disk
// fails. It takes no longer for a long backlog.
func Open(dir string, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.fs == nil {
		o.fs = vfs.Default
	}
	if o.backoff == 0 {
		o.backoff = firstBackoff
	}
	lock, err := claimDirectory(o.fs, dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, disk: o.fs, log: o.Log.With("store", dir), o: o, lock: lock,
		inbox: newInbox(), broken: make(chan *engine, 1), changed: make(chan struct{}, 1),
		stop: make(chan struct{}), queues: map[outbox.Queue]*queue{}, held: map[uint64]*held{}, dead: map[keg.Reason]int64{}}
	if err := s.start(); err != nil {
		_ = lock.Close()
		return nil, &OpenError{Directory: dir, Err: joined(ErrUnreadable, err), Remedy: "Look after the disk, or name another directory."}
	}
	s.working.Go(s.commit)
	s.keeping.Go(s.keep)
	s.keeping.Go(s.maintain)
	return s, nil
}

// Close gives back what is held and ends background work. It waits for the last
// sync.
func (s *Store) Close() error {
	s.inbox.close()
	s.working.Wait()
	close(s.stop)
	s.keeping.Wait()
	s.mu.Lock()
	e := s.engine
	s.engine = nil
	s.problem.Store(errClosed)
	s.mu.Unlock()
	var err error
	if e != nil {
		err = e.close()
	}
	if unlocked := s.lock.Close(); err == nil {
		err = unlocked
	}
	return err
}

// Changed returns the channel that tells of something to claim.
func (s *Store) Changed() <-chan struct{} { return s.changed }

func (s *Store) signal() { signal(s.changed) }

// tell signals that something fresh can be claimed: not before the group that is
// in the air is safe. s.mu is held.
func (s *Store) tell() {
	if s.fresh && s.flying == nil {
		s.fresh = false
		s.signal()
	}
}

// Check returns nil while the store takes events.
func (s *Store) Check() error {
	if problem := s.problem.Load(); problem != nil {
		return problem
	}
	if s.overfull.Load() {
		return errFull
	}
	return nil
}

// read returns the engine for reading; the caller ends with release.
func (s *Store) read() (*engine, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine == nil {
		return nil, s.why()
	}
	s.engine.reading.RLock()
	return s.engine, nil
}

func (e *engine) release() { e.reading.RUnlock() }

// why is the reason for having no engine.
func (s *Store) why() error {
	if problem := s.problem.Load(); problem != nil {
		return problem
	}
	return errOpening
}

var errOpening = &outbox.UnavailableError{Problem: "the store is being opened again"}

// Ready returns the queues with something to claim.
func (s *Store) Ready(ctx context.Context) (ready []outbox.Queue, again time.Time, err error) {
	if err := ctx.Err(); err != nil {
		return nil, time.Time{}, err
	}
	now := time.Now()
	again = now.Add(time.Hour)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine == nil {
		return nil, now.Add(time.Second), s.why()
	}
	known := s.known()
	for name, q := range s.queues {
		due := q.nextDue
		switch {
		case q.waits(known, now.UnixNano()):
			ready = append(ready, name)
		case due != never && fromNanos(due).Before(again):
			again = fromNanos(due)
		}
	}
	return ready, again, nil
}

// known is the last sequence of which nothing is in the air: what comes later
// is not safe yet, and handed to nobody.
func (s *Store) known() uint64 {
	if s.flying != nil {
		return s.flying.before
	}
	return s.seq
}
