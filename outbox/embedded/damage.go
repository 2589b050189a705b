package embedded

import (
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/kong/keg/outbox"
)

// damage lists the files in which Pebble has met something unreadable.
type damage struct {
	mu    sync.Mutex
	paths map[string]bool // false: not yet copied
}

// noteDamage is Pebble's word of an unreadable file. It may come under any lock.
func (s *Store) noteDamage(path string) {
	s.damage.mu.Lock()
	defer s.damage.mu.Unlock()
	if s.damage.paths == nil {
		s.damage.paths = map[string]bool{}
	}
	if path != "" && !s.damage.paths[path] {
		s.damage.paths[path] = false
	}
}

// keepDamaged links the files that were noted into the directory for what is
// damaged, so that they outlive what Pebble does with them.
func (s *Store) keepDamaged(e *engine) {
	s.damage.mu.Lock()
	var paths []string
	for path, kept := range s.damage.paths {
		if !kept {
			paths = append(paths, path)
			s.damage.paths[path] = true
		}
	}
	s.damage.mu.Unlock()
	for _, path := range paths {
		name := s.disk.PathBase(path)
		if err := s.aside(path, name); err != nil {
			s.log.Error("a damaged file of the event store could not be set aside", "file", name, "problem", line(err.Error()))
			continue
		}
		s.log.Error("a file of the event store is damaged; a copy is set aside", "file", name, "directory", damagedDirectory)
	}
}

// aside copies a file into the directory for what is damaged.
func (s *Store) aside(path, name string) error {
	dir := s.disk.PathJoin(s.dir, damagedDirectory)
	if err := s.disk.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return vfs.LinkOrCopy(s.disk, path, s.disk.PathJoin(dir, name))
}

// damaged reports whether a read failed because of what is on disk.
func damaged(err error) bool { return pebble.IsCorruptionError(err) || err == errRecord }

// trouble is a failed read as callers hear it.
func (e *engine) trouble(err error) error {
	return &outbox.UnavailableError{Problem: errNotRead.Error(), Err: plain(fmt.Errorf("%s", line(err.Error())))}
}

// noteUnreadable logs and counts what cannot be read and is done without. It
// returns nil.
func (s *Store) noteUnreadable(what string, err error) error {
	if err != nil {
		s.cuts.Add(1)
		s.log.Error("the event store could not read "+what, "problem", line(err.Error()))
	}
	return nil
}

// setAside ends a delivery that cannot be read: its row, if that is readable, is
// kept in a file of its own.
func (s *Store) setAside(e *engine, q *queue, seq uint64, what string, problem error) {
	if problem == nil {
		problem = errRecord
	}
	key := deliveryKey(nil, q.id, seq)
	value, err := e.get(key)
	name := "delivery-" + deliveryID(seq)
	if err == nil && value != nil {
		if err := s.asideBytes(name, value); err != nil {
			s.log.Error("a damaged delivery could not be set aside", "delivery", deliveryID(seq), "problem", line(err.Error()))
		}
	}
	s.cuts.Add(1)
	s.log.Error("the event store could not read "+what+"; its delivery is set aside", "delivery", deliveryID(seq),
		"route", q.name.Route, "destination", q.name.Destination, "problem", line(problem.Error()))
	r, unread := parseRecord(value)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine != e {
		return
	}
	batch := e.db.NewBatch()
	w := &settler{writer: writer{s: s, batch: batch, tally: s.tally()}}
	r.inline = nil
	h := &held{seq: seq, q: q, record: r}
	if r.flags&flagKeyed != 0 {
		h.key = digestOf(r.key)
	}
	if unread != nil {
		w.tally.of(q).waiting--
		err = batch.Delete(key, nil)
		for digest, l := range q.busy { // its key is known only from its line
			if l.head == seq && err == nil {
				h.key, h.record.flags = digest, flagKeyed
				err = batch.Delete(lineKey(nil, q.id, digest, seq), nil)
			}
		}
	} else {
		err = w.remove(h)
	}
	if err == nil {
		err = w.finish()
	}
	if err == nil {
		err = e.apply(batch, false)
	}
	if err != nil {
		e.fence.fail(err)
		return
	}
	w.tally.take()
	_ = batch.Close()
	s.free(&settling{Settlement: &outbox.Settlement{Outcome: outbox.Done}, h: h})
}

func (s *Store) asideBytes(name string, value []byte) error {
	dir := s.disk.PathJoin(s.dir, damagedDirectory)
	if err := s.disk.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := s.disk.Create(s.disk.PathJoin(dir, name), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(append([]byte(nil), value...))
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
