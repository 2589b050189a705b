package embedded

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

const (
	// watching is how often Pebble is asked how it keeps up.
	watching = 100 * time.Millisecond
	// sweeping is how often dedupe marks are looked after, sweepAtOnce how many
	// go in one batch.
	sweeping    = time.Second
	sweepAtOnce = 1000
	// tidyBytes is what an empty store may take before it is tidied up.
	tidyBytes = 64 << 20
	tidyAfter = 5 * time.Second
)

// maintain watches Pebble and takes away what has expired, until the store is
// closed.
func (s *Store) maintain() {
	ticker := time.NewTicker(watching)
	defer ticker.Stop()
	var swept, tidied time.Time
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
		}
		e, err := s.read()
		if err != nil {
			continue
		}
		s.watch(e)
		now := time.Now()
		if now.Sub(swept) >= sweeping {
			swept = now
			s.sweep(e, now.UnixNano())
			s.keepDamaged(e)
		}
		if now.Sub(tidied) >= tidyAfter && s.untidy() {
			s.tidy(e)
			tidied = time.Now()
		}
		e.release()
	}
}

// watch takes Pebble's measures. Pebble itself would stop writers for as long
// as it is behind, and could then not be given up.
func (s *Store) watch(e *engine) {
	m := e.db.Metrics()
	s.pressure.Store(m.MemTable.Size > maxMemTables*memTableBytes || m.Levels[0].Sublevels > maxSublevels)
	bytes := int64(m.DiskSpaceUsage())
	s.bytes.Store(bytes)
	if over := s.o.MaxBytes > 0 && bytes > s.o.MaxBytes; s.overfull.Swap(over) != over {
		if over {
			s.log.Error("the event store has reached its limit and takes no more events until some have gone", "bytes", bytes, "limit", s.o.MaxBytes)
		} else {
			s.log.Info("the event store takes events again", "bytes", bytes, "limit", s.o.MaxBytes)
		}
	}
}

// untidy reports whether the room of what has ended is worth taking back now.
func (s *Store) untidy() bool {
	if s.overfull.Load() {
		return true
	}
	if s.bytes.Load() < tidyBytes {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queues {
		if q.waiting > 0 {
			return false
		}
	}
	for _, n := range s.dead {
		if n > 0 {
			return false
		}
	}
	return true
}

// tidy sorts everything in, so that what was deleted is gone.
func (s *Store) tidy(e *engine) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-s.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := e.db.Compact(ctx, []byte{0}, []byte{0xFF}, false); err != nil && ctx.Err() == nil {
		s.log.Warn("the event store could not be tidied up", "problem", line(err.Error()))
	}
}

// sweep removes dedupe marks whose window has ended.
func (s *Store) sweep(e *engine, now int64) {
	for s.sweepSome(e, now) == sweepAtOnce {
	}
}

func (s *Store) sweepSome(e *engine, now int64) int {
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: s.sweptTo(), UpperBound: expiryKey(nil, now, digest{})})
	if err != nil {
		return 0
	}
	defer it.Close()
	var expired [][]byte
	for ok := it.First(); ok && len(expired) < sweepAtOnce; ok = it.Next() {
		expired = append(expired, append([]byte(nil), it.Key()...))
	}
	if len(expired) == 0 {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine != e {
		return 0
	}
	batch := e.db.NewBatch()
	for _, key := range expired {
		mark := append([]byte{rowMark}, key[9:]...)
		value, err := e.get(mark)
		if err == nil && len(value) == 8 && int64(binary.BigEndian.Uint64(value)) <= now {
			err = batch.Delete(mark, nil)
		}
		if err == nil {
			err = batch.Delete(key, nil)
		}
		if err != nil {
			return 0
		}
	}
	if e.apply(batch, false) != nil {
		return 0
	}
	_ = batch.Close()
	s.swept = expired[len(expired)-1]
	return len(expired)
}

// sweptTo is where the next sweep begins: before it all rows are deleted ones.
func (s *Store) sweptTo() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.swept == nil {
		return []byte{rowExpiry}
	}
	return s.swept
}
