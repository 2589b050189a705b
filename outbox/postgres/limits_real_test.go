//go:build real

package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

func TestALockThatIsNotGivenIsUnavailable(t *testing.T) {
	raw := newSchema(t)
	s := opened(t, with(t, raw, func(_ *url.URL, q url.Values) { q.Set("lock_timeout", "200ms") }), Options{})
	e := entry("before", true)
	if err := s.Put(ctxOf(t), e); err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	var locking sync.WaitGroup
	locked := make(chan struct{})
	locking.Go(func() { lock(t, raw, locked, release) })
	<-locked
	for name, call := range map[string]func() error{
		"Put":    func() error { return s.Put(ctxOf(t), entry("locked", true)) },
		"Settle": func() error { return s.Settle(ctxOf(t), &outbox.Settlement{Delivery: e.Owed[0].Held}) },
		"Claim":  func() error { _, err := s.Claim(ctxOf(t), theQueue, 1, 1); return err },
	} {
		began := time.Now()
		if err := call(); !errors.As(err, new(*outbox.UnavailableError)) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
	// A caller that goes while the lock is waited for leaves nothing held.
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := s.Put(ctx, entry("gone", true)); err == nil {
		t.Error("a locked table took it")
	}
	close(release)
	locking.Wait()
	settleOne(t, s, e.Owed[0].Held, outbox.Done)
	if err := s.Put(ctxOf(t), entry("after", false)); err != nil {
		t.Fatal(err)
	}
	want := query[int](t, raw, "SELECT count(*) FROM deliveries") // "gone" is there, or not
	got := 0
	eventually(t, "all that is there is handed out", func() bool { got += len(claim(t, s)); return got == want })
}

// lock keeps everybody from the deliveries until release.
func lock(t *testing.T, raw string, locked chan<- struct{}, release <-chan struct{}) {
	s := opened(t, raw, Options{})
	tx, err := s.pool.Begin(context.Background())
	if err != nil {
		t.Error(err)
		close(locked)
		return
	}
	if _, err := tx.Exec(context.Background(), "SET LOCAL idle_in_transaction_session_timeout = 0; LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Error(err)
	}
	close(locked)
	<-release
	_ = tx.Rollback(context.Background())
}

func TestAPoolThatIsInUseIsUnavailable(t *testing.T) {
	s := opened(t, with(t, newSchema(t), func(_ *url.URL, q url.Values) { q.Set("pool_max_conns", "1") }), Options{Lease: time.Second})
	if err := s.Put(ctxOf(t), entry("before", false)); err != nil {
		t.Fatal(err)
	}
	taken, err := s.pool.Acquire(ctxOf(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Put":   func() error { return s.Put(ctxOf(t), entry("busy", false)) },
		"Ready": func() error { _, _, err := s.Ready(ctxOf(t)); return err },
	} {
		if err := call(); !errors.As(err, new(*outbox.UnavailableError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := s.Put(ctx, entry("short", false)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a short Put: %v", err)
	}
	if err := s.Check(); err != nil {
		t.Errorf("the node itself is in touch all the while: %v", err)
	}
	taken.Release()
	if err := s.Put(ctxOf(t), entry("after", false)); err != nil {
		t.Fatal(err)
	}
}

func TestAServerThatTakesNoMoreConnectionsIsUnavailable(t *testing.T) {
	raw := newSchema(t)
	role := schemaOf(t, raw)
	execute(t, raw, fmt.Sprintf("CREATE ROLE %[1]s LOGIN PASSWORD 'x' CONNECTION LIMIT 2; CREATE SCHEMA %[1]s AUTHORIZATION %[1]s", role))
	t.Cleanup(func() { execute(t, raw, fmt.Sprintf("DROP OWNED BY %[1]s CASCADE; DROP ROLE %[1]s", role)) })
	s := opened(t, with(t, raw, func(u *url.URL, _ url.Values) { u.User = url.UserPassword(role, "x") }), Options{Lease: time.Second})
	taken, err := s.pool.Acquire(ctxOf(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(ctxOf(t), entry(1, false)); !errors.As(err, new(*outbox.UnavailableError)) {
		t.Errorf("the connections were two: the node's own, and one that is in use: %v", err)
	}
	taken.Release()
	eventually(t, "well again", func() bool { return s.Put(ctxOf(t), entry(2, false)) == nil })
	if _, err := s.DeadLetters(ctxOf(t), outbox.Filter{Reason: keg.ReasonRefused}, "", 1); err != nil {
		t.Error(err)
	}
}
