package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// start opens Pebble for the first time.
func (s *Store) start() error {
	e, err := s.open()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(e, false); err != nil {
		_ = e.close()
		return err
	}
	s.engine = e
	s.watch(e)
	return nil
}

// broke hears of an engine that cannot be written to. It is called under
// Pebble's locks, and only passes the word on.
func (s *Store) broke(e *engine, err error) {
	s.problem.CompareAndSwap(nil, unavailable(err))
	select {
	case s.broken <- e:
	default:
	}
}

// keep opens Pebble again whenever it has failed, until the store is closed.
func (s *Store) keep() {
	for {
		select {
		case <-s.stop:
			return
		case <-s.broken:
			s.mend()
		}
	}
}

// mend replaces an engine that has failed.
func (s *Store) mend() {
	s.mu.Lock()
	e := s.engine
	if e == nil || !e.fence.down.Load() {
		s.mu.Unlock()
		return
	}
	s.engine = nil
	s.mu.Unlock()
	s.log.Error("the event store takes no events until its files can be written again", "problem", s.Check())
	for s.flies(e) { // their syncs fail at the fence, if they have not ended
		time.Sleep(time.Millisecond)
	}
	if err := e.close(); err != nil {
		s.log.Warn("the event store's Pebble was given up", "problem", line(err.Error()))
	}
	wait := s.o.backoff
	for {
		next, err := s.open()
		if err == nil {
			s.mu.Lock()
			if err = s.load(next, true); err == nil {
				s.engine = next
				s.problem.Store(nil)
			}
			s.mu.Unlock()
			if err == nil {
				break
			}
			_ = next.close()
		}
		s.problem.Store(unavailable(err))
		select {
		case <-s.stop:
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, lastBackoff)
	}
	if next, _ := s.settled(); next != nil && next.fence.down.Load() {
		s.broke(next, errNotWritten) // it failed again before it was known
	}
	s.log.Info("the event store takes events again")
	s.signal()
}

var errNotWritten = errors.New("the store's files cannot be written")

// flies reports whether a group of the engine has no answer yet.
func (s *Store) flies(e *engine) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flying != nil && s.flying.engine == e
}

// full reports whether an error says that there is no room.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

func joined(kind, err error) error { return fmt.Errorf("%w: %s", kind, line(err.Error())) }

// sequenceOf is a delivery row's.
func sequenceOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[5:]) }
