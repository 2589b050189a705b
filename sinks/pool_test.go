package sinks

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// testClient is a client that a test watches and can make hang.
type testClient struct {
	closed chan struct{} // closed by Close
	hang   <-chan struct{}
}

func (c *testClient) Close() error {
	if c.hang != nil {
		<-c.hang
	}
	close(c.closed)
	return nil
}

func newTestClient() *testClient { return &testClient{closed: make(chan struct{})} }

func (c *testClient) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

func mustHold[C io.Closer](t *testing.T, p *Pool, key any, dial func(context.Context) (C, error)) *lease[C] {
	t.Helper()
	l, err := hold(p, key, dial)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustClient[C io.Closer](t *testing.T, l *lease[C]) C {
	t.Helper()
	c, err := l.client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLeasesOfEqualKeysShareOneClientThatTheLastCloses(t *testing.T) {
	p := NewPool(testLog(t))
	dials := 0
	dial := func(context.Context) (*testClient, error) { dials++; return newTestClient(), nil }
	first, second := mustHold(t, p, "a", dial), mustHold(t, p, "a", dial)
	other := mustHold(t, p, "b", dial)
	if dials != 0 || p.Clients() != 0 {
		t.Fatalf("%d dials, %d clients before the first use", dials, p.Clients())
	}
	a := mustClient(t, first)
	if b := mustClient(t, second); a != b {
		t.Error("equal keys have clients of their own")
	}
	if b := mustClient(t, other); a == b {
		t.Error("different keys share a client")
	}
	if dials != 2 || p.Clients() != 2 {
		t.Errorf("%d dials, %d clients, want 2", dials, p.Clients())
	}
	_ = first.Close()
	if a.isClosed() {
		t.Error("closed while a lease was left")
	}
	_ = second.Close()
	if !a.isClosed() || p.Clients() != 1 {
		t.Errorf("closed %v, %d clients after the last lease", a.isClosed(), p.Clients())
	}
	// The key may come back, with a client of its own.
	third := mustHold(t, p, "a", dial)
	if mustClient(t, third) == a {
		t.Error("a closed client was given out")
	}
	_, _ = third.Close(), other.Close()
}

func TestKeysOfDifferentTypesNeverShare(t *testing.T) {
	type mine string
	p := NewPool(testLog(t))
	dial := func(context.Context) (*testClient, error) { return newTestClient(), nil }
	a, b := mustHold(t, p, "x", dial), mustHold(t, p, mine("x"), dial)
	if mustClient(t, a) == mustClient(t, b) {
		t.Error("shared")
	}
	_, _ = a.Close(), b.Close()
}

func TestCallersThatComeTogetherShareOneAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(testLog(t))
		var dials atomic.Int32
		l := mustHold(t, p, "a", func(context.Context) (*testClient, error) {
			time.Sleep(time.Second)
			if dials.Add(1) == 1 {
				return nil, errors.New("nobody there")
			}
			return newTestClient(), nil
		})
		both := func() (failed int) {
			answers := make(chan error, 10)
			for range 10 {
				go func() { _, err := l.client(t.Context()); answers <- err }()
			}
			for range 10 {
				if <-answers != nil {
					failed++
				}
			}
			return failed
		}
		if failed := both(); failed != 10 || dials.Load() != 1 {
			t.Errorf("%d failed after %d dials, want all after 1", failed, dials.Load())
		}
		if failed := both(); failed != 0 || dials.Load() != 2 {
			t.Errorf("%d failed after %d dials: an error was kept", failed, dials.Load())
		}
		_ = l.Close()
	})
}

func TestACallerWhoseContextEndsLeavesTheAttemptToTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(testLog(t))
		l := mustHold(t, p, "a", func(ctx context.Context) (*testClient, error) {
			select {
			case <-time.After(3 * time.Second):
				return newTestClient(), nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := l.client(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		mustClient(t, l)
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("the client was there after %v: the attempt began anew", took)
		}
		_ = l.Close()
	})
}

func TestAnAttemptIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(testLog(t))
		l := mustHold(t, p, "a", func(ctx context.Context) (*testClient, error) { <-ctx.Done(); return nil, ctx.Err() })
		start := time.Now()
		if _, err := l.client(context.Background()); err == nil || time.Since(start) != openTimeout {
			t.Errorf("%v after %v, want an error after %v", err, time.Since(start), openTimeout)
		}
		_ = l.Close()
	})
}

func TestADiscardedClientIsClosedAndReplacedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(testLog(t))
		dial := func(context.Context) (*testClient, error) { return newTestClient(), nil }
		one, two := mustHold(t, p, "a", dial), mustHold(t, p, "a", dial)
		old := mustClient(t, one)
		one.discard(old)
		next := mustClient(t, two)
		two.discard(old) // late: the new one stays
		if mustClient(t, one) != next || next == old {
			t.Error("want one new client")
		}
		synctest.Wait()
		if !old.isClosed() || next.isClosed() {
			t.Errorf("closed: old %v, new %v", old.isClosed(), next.isClosed())
		}
		_, _ = one.Close(), two.Close()
		if !next.isClosed() {
			t.Error("the new one was left open")
		}
	})
}

func TestClosingEndsAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(testLog(t))
		l := mustHold(t, p, "a", func(ctx context.Context) (*testClient, error) { <-ctx.Done(); return nil, ctx.Err() })
		answer := make(chan error, 1)
		go func() { _, err := l.client(context.Background()); answer <- err }()
		synctest.Wait()
		start := time.Now()
		if err := l.Close(); err != nil || time.Since(start) > 0 {
			t.Errorf("Close: %v after %v", err, time.Since(start))
		}
		if err := <-answer; err == nil {
			t.Error("the waiting call has a client")
		}
		if _, err := l.client(context.Background()); !errors.Is(err, errClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestAClientThatOpensTooLateIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(testLog(t))
		late := newTestClient()
		l := mustHold(t, p, "a", func(context.Context) (*testClient, error) {
			time.Sleep(time.Second) // deaf to its context
			return late, nil
		})
		answer := make(chan error, 1)
		go func() { _, err := l.client(context.Background()); answer <- err }()
		synctest.Wait()
		if err := l.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-answer; !errors.Is(err, errClosed) || !late.isClosed() {
			t.Errorf("the call: %v; the client closed: %v", err, late.isClosed())
		}
	})
}

func TestClosingAClientThatHangsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(testLog(t))
		release := make(chan struct{})
		l := mustHold(t, p, "a", func(context.Context) (*testClient, error) {
			return &testClient{closed: make(chan struct{}), hang: release}, nil
		})
		mustClient(t, l)
		start := time.Now()
		if err := l.Close(); err == nil || time.Since(start) != closeTimeout {
			t.Errorf("Close: %v after %v, want an error after %v", err, time.Since(start), closeTimeout)
		}
		close(release)
	})
}

func TestAPoolClosesEverythingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(testLog(t))
		release := make(chan struct{})
		dial := func(context.Context) (*testClient, error) {
			return &testClient{closed: make(chan struct{}), hang: release}, nil
		}
		for key := range 5 {
			mustClient(t, mustHold(t, p, key, dial))
		}
		time.AfterFunc(time.Second, func() { close(release) })
		start := time.Now()
		if err := p.Close(); err != nil || time.Since(start) != time.Second {
			t.Errorf("Close: %v after %v, want after 1s", err, time.Since(start))
		}
		if _, err := hold(p, "new", dial); !errors.Is(err, errClosed) {
			t.Errorf("hold after Close: %v", err)
		}
		if err := p.Close(); err != nil {
			t.Errorf("a second Close: %v", err)
		}
	})
}

func TestALeaseMayCloseAfterItsPool(t *testing.T) {
	p := NewPool(testLog(t))
	l := mustHold(t, p, "a", func(context.Context) (*testClient, error) { return newTestClient(), nil })
	c := mustClient(t, l)
	if err := p.Close(); err != nil || !c.isClosed() {
		t.Fatalf("Close: %v, closed %v", err, c.isClosed())
	}
	if _, err := l.client(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("client: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}
