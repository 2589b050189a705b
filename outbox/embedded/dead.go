package embedded

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// DeadLetters lists dead letters in the order in which they died; see
// [outbox.Store]. One that cannot be read is passed over.
func (s *Store) DeadLetters(ctx context.Context, f outbox.Filter, after string, limit int) ([]*keg.DeadLetter, error) {
	e, err := s.read()
	if err != nil {
		return nil, err
	}
	defer e.release()
	lower, upper := []byte{rowDead}, []byte{rowDead + 1}
	if !f.Since.IsZero() {
		lower = deadKey(nil, nanos(f.Since), 0)
	}
	if !f.Until.IsZero() {
		upper = deadKey(nil, nanos(f.Until), 0)
	}
	if after != "" {
		key, ok := parseDeadID(after)
		if !ok {
			return nil, outbox.ErrNotFound
		}
		if key = append(key, 0); string(key) > string(lower) {
			lower = key
		}
	}
	if string(lower) >= string(upper) {
		return nil, ctx.Err()
	}
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, e.trouble(err)
	}
	defer it.Close()
	var all []*keg.DeadLetter
	for ok := it.First(); ok && len(all) < limit; ok = it.Next() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, e.trouble(err)
		}
		d, err := parseDead(value)
		if err != nil || f.Route != "" && f.Route != d.letter.Route || f.Destination != "" && f.Destination != d.letter.Destination ||
			f.Reason != "" && f.Reason != d.letter.Reason {
			continue
		}
		letter, err := d.read(it.Key())
		if err != nil {
			_ = s.noteUnreadable("a dead letter", err)
			continue
		}
		all = append(all, letter)
	}
	if err := it.Error(); err != nil {
		return nil, e.trouble(err)
	}
	return all, nil
}

// read returns the letter with its event, sharing nothing with the row.
func (d *dead) read(key []byte) (*keg.DeadLetter, error) {
	event, err := outbox.ParseEvent([]byte(strings.Clone(string(d.event))))
	if err != nil {
		return nil, err
	}
	letter := d.letter
	letter.ID, letter.Event = deadID(key), event
	return &letter, nil
}

// DeadLetter returns one; see [outbox.Store].
func (s *Store) DeadLetter(_ context.Context, id string) (*keg.DeadLetter, error) {
	e, err := s.read()
	if err != nil {
		return nil, err
	}
	defer e.release()
	key, ok := parseDeadID(id)
	if !ok {
		return nil, outbox.ErrNotFound
	}
	value, err := e.get(key)
	if err != nil {
		return nil, e.trouble(err)
	}
	if value == nil {
		return nil, outbox.ErrNotFound
	}
	d, err := parseDead(value)
	if err != nil {
		return nil, err
	}
	return d.read(key)
}

// Replay owes dead letters to their destinations again; see [outbox.Store].
func (s *Store) Replay(ctx context.Context, ids ...string) (int, error) {
	return s.exhume(ctx, ids, func(w *writer, d *dead) (bool, error) {
		if d.queue.Destination == "" {
			return false, nil
		}
		owed := &outbox.Owed{Queue: d.queue, Key: d.key}
		_, err := w.owed(nil, nil, owed, d.event, 1, nil)
		return true, err
	})
}

// Drop removes dead letters; see [outbox.Store].
func (s *Store) Drop(ctx context.Context, ids ...string) (int, error) {
	return s.exhume(ctx, ids, func(*writer, *dead) (bool, error) { return true, nil })
}

// exhumeAtOnce is how many dead letters are taken in one batch, so that the
// store does not stand still for the others.
const exhumeAtOnce = 100

// exhume removes the dead letters that use says yes to, and counts them.
func (s *Store) exhume(ctx context.Context, ids []string, use func(*writer, *dead) (bool, error)) (int, error) {
	total := 0
	for len(ids) > 0 {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		n := min(len(ids), exhumeAtOnce)
		count, err := s.exhumeSome(ids[:n], use)
		total += count
		if err != nil {
			return total, err
		}
		ids = ids[n:]
	}
	return total, nil
}

func (s *Store) exhumeSome(ids []string, use func(*writer, *dead) (bool, error)) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine == nil {
		return 0, s.why()
	}
	batch := s.engine.db.NewBatch()
	w := &writer{s: s, batch: batch, tally: s.tally(), now: time.Now().UnixNano()}
	count := 0
	seen := map[string]bool{}
	for _, id := range ids {
		key, ok := parseDeadID(id)
		if !ok || seen[string(key)] {
			continue
		}
		seen[string(key)] = true
		value, err := s.engine.get(key)
		if err != nil {
			_ = s.noteUnreadable("a dead letter", err)
			continue
		}
		if value == nil {
			continue
		}
		d, err := parseDead(value)
		if err != nil {
			_ = s.noteUnreadable("a dead letter", err)
			continue
		}
		used, err := use(w, &d)
		if err != nil {
			return 0, err
		}
		if !used {
			continue
		}
		if err := batch.Delete(key, nil); err != nil {
			return 0, err
		}
		w.tally.died(d.letter.Reason, -1)
		count++
	}
	err := w.tally.write(batch)
	if err == nil && !batch.Empty() {
		err = s.engine.apply(batch, false)
	}
	if err != nil {
		s.engine.fence.fail(err)
		return 0, unavailable(err)
	}
	w.tally.take()
	_ = batch.Close()
	s.signal()
	return count, nil
}

var errNotRead = errors.New("the store's files cannot be read")
