package console

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// memory is an [outbox.Store] of dead letters alone.
type memory struct {
	outbox.Store // nil: what is not below is not called
	mu           sync.Mutex
	serial       int
	dead         map[string]*keg.DeadLetter
	owed         []string // ids, in the order of their replay
	trouble      error
	reads        int
}

func (m *memory) Put(_ context.Context, entries ...*outbox.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.trouble != nil {
		return m.trouble
	}
	for _, e := range entries {
		for _, o := range e.Owed {
			m.serial++
			d := *o.Dead
			d.ID, d.Event, d.Route, d.Destination = fmt.Sprintf("%06d", m.serial), e.Event, o.Queue.Route, o.Queue.Destination
			m.dead[d.ID] = &d
		}
		delete(m.dead, e.Replaces)
	}
	return nil
}

func (m *memory) DeadLetters(ctx context.Context, f outbox.Filter, after string, limit int) (found []*keg.DeadLetter, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	if m.trouble != nil {
		return nil, m.trouble
	}
	if _, ok := m.dead[after]; after != "" && !ok {
		return nil, fmt.Errorf("the place %s is gone", after)
	}
	for _, id := range slices.Sorted(keys(m.dead)) {
		d := m.dead[id]
		if id > after && len(found) < limit && d.Route == cmp.Or(f.Route, d.Route) && d.Destination == cmp.Or(f.Destination, d.Destination) &&
			d.Reason == cmp.Or(f.Reason, d.Reason) && !d.Died.Before(f.Since) && (f.Until.IsZero() || d.Died.Before(f.Until)) {
			found = append(found, d)
		}
	}
	return found, ctx.Err()
}

func keys(m map[string]*keg.DeadLetter) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func (m *memory) DeadLetter(_ context.Context, id string) (*keg.DeadLetter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d, ok := m.dead[id]; ok {
		return d, nil
	}
	return nil, outbox.ErrNotFound
}

func (m *memory) Replay(ctx context.Context, ids ...string) (n int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		if d, ok := m.dead[id]; ok && d.Destination != "" {
			m.owed = append(m.owed, id)
			delete(m.dead, id)
			n++
		}
	}
	return n, ctx.Err()
}

func (m *memory) Drop(ctx context.Context, ids ...string) (n int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		if _, ok := m.dead[id]; ok {
			delete(m.dead, id)
			n++
		}
	}
	return n, ctx.Err()
}

func (m *memory) Stats(context.Context) (outbox.Stats, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := outbox.Stats{Dead: map[keg.Reason]int64{}, Bytes: 4096, CutTails: 1, Queues: []outbox.QueueStats{
		{Queue: orders, Waiting: 3, Oldest: time.Now().Add(-time.Minute)},
		{Queue: outbox.Queue{Scope: "plugin", Route: orders.Route, Destination: orders.Destination}, Waiting: 2},
	}}
	for _, d := range m.dead {
		s.Dead[d.Reason]++
	}
	return s, m.trouble
}

func (m *memory) Check() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.trouble
}

func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.dead)
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trouble = err
}

var orders = outbox.Queue{Route: "orders", Destination: "kafka://kafka:9092/orders"}

// died is an entry with one dead letter.
func died(n int, q outbox.Queue, reason keg.Reason, died time.Time, data string) *outbox.Entry {
	return &outbox.Entry{
		Event: &keg.Event{ID: strconv.Itoa(n), Source: "shop", Type: "order.created", DataContentType: "application/json", Data: []byte(data)},
		Owed: []*outbox.Owed{{Queue: q, Dead: &keg.DeadLetter{
			Reason: reason, Error: "503 Service Unavailable", Status: 503, Attempts: 3, Accepted: died.Add(-time.Hour), Died: died,
		}}},
	}
}

// filled is a store with n dead letters of route orders, one a second, the last
// of them an hour ago.
func filled(t *testing.T, n int) *memory {
	t.Helper()
	m := &memory{dead: map[string]*keg.DeadLetter{}}
	last := time.Now().Add(-time.Hour).Truncate(time.Second)
	for i := range n {
		if err := m.Put(t.Context(), died(i, orders, keg.ReasonExhausted, last.Add(time.Duration(i-n)*time.Second), `{"n":`+strconv.Itoa(i)+`}`)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}
