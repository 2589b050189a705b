package main

import (
	"context"
	"sync"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// lateStore is the node's store, which opens after the node listens: Kong wants
// the socket at once, a database may be slow, and while Kong reloads the embedded
// store is still the process's before this one. Until then whoever wants
// something of it waits.
type lateStore struct {
	settled chan struct{} // closed when there is a store, or never will be

	mu    sync.Mutex
	store outbox.Store // nil before
	why   string       // there is none
}

func newLateStore() *lateStore {
	return &lateStore{settled: make(chan struct{}), why: "the store is being opened"}
}

// set gives the store to all that wait.
func (l *lateStore) set(s outbox.Store) {
	l.mu.Lock()
	l.store = s
	l.mu.Unlock()
	close(l.settled)
}

// waits says what is waited for, to whoever asks meanwhile.
func (l *lateStore) waits(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.why = why
}

// giveUp tells all that wait that there will be no store, and why.
func (l *lateStore) giveUp(why string) {
	l.mu.Lock()
	l.why = why
	l.mu.Unlock()
	close(l.settled)
}

// now returns the store, or why there is none yet.
func (l *lateStore) now() (outbox.Store, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.store == nil {
		return nil, &outbox.UnavailableError{Problem: l.why}
	}
	return l.store, nil
}

// await returns the store when there is one, or why not, when ctx ends or there
// never will be.
func (l *lateStore) await(ctx context.Context) (outbox.Store, error) {
	select {
	case <-l.settled:
		return l.now()
	default: // only now is ctx asked for a channel
	}
	select {
	case <-l.settled:
	case <-ctx.Done():
	}
	return l.now()
}

// Put is of [outbox.Store].
func (l *lateStore) Put(ctx context.Context, entries ...*outbox.Entry) error {
	s, err := l.await(ctx)
	if err != nil {
		return err
	}
	return s.Put(ctx, entries...)
}

// Ready is of [outbox.Store].
func (l *lateStore) Ready(ctx context.Context) ([]outbox.Queue, time.Time, error) {
	s, err := l.await(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	return s.Ready(ctx)
}

// Changed is of [outbox.Store]. It is called when the store is open: by the
// dispatcher, which starts then.
func (l *lateStore) Changed() <-chan struct{} {
	s, err := l.now()
	if err != nil {
		return nil
	}
	return s.Changed()
}

// Claim is of [outbox.Store].
func (l *lateStore) Claim(ctx context.Context, q outbox.Queue, n int, maxBytes int64) ([]*outbox.Delivery, error) {
	s, err := l.await(ctx)
	if err != nil {
		return nil, err
	}
	return s.Claim(ctx, q, n, maxBytes)
}

// Settle is of [outbox.Store].
func (l *lateStore) Settle(ctx context.Context, settlements ...*outbox.Settlement) error {
	s, err := l.await(ctx)
	if err != nil {
		return err
	}
	return s.Settle(ctx, settlements...)
}

// DeadLetters is of [outbox.Store].
func (l *lateStore) DeadLetters(ctx context.Context, f outbox.Filter, after string, limit int) ([]*keg.DeadLetter, error) {
	s, err := l.now()
	if err != nil {
		return nil, err
	}
	return s.DeadLetters(ctx, f, after, limit)
}

// DeadLetter is of [outbox.Store].
func (l *lateStore) DeadLetter(ctx context.Context, id string) (*keg.DeadLetter, error) {
	s, err := l.now()
	if err != nil {
		return nil, err
	}
	return s.DeadLetter(ctx, id)
}

// Replay is of [outbox.Store].
func (l *lateStore) Replay(ctx context.Context, ids ...string) (int, error) {
	s, err := l.now()
	if err != nil {
		return 0, err
	}
	return s.Replay(ctx, ids...)
}

// Drop is of [outbox.Store].
func (l *lateStore) Drop(ctx context.Context, ids ...string) (int, error) {
	s, err := l.now()
	if err != nil {
		return 0, err
	}
	return s.Drop(ctx, ids...)
}

// Stats is of [outbox.Store].
func (l *lateStore) Stats(ctx context.Context) (outbox.Stats, error) {
	s, err := l.now()
	if err != nil {
		return outbox.Stats{}, err
	}
	return s.Stats(ctx)
}

// Check is of [outbox.Store].
func (l *lateStore) Check() error {
	s, err := l.now()
	if err != nil {
		return err
	}
	return s.Check()
}

// Close closes the store, if it was opened.
func (l *lateStore) Close() error {
	s, err := l.now()
	if err != nil {
		return nil
	}
	return s.Close()
}
