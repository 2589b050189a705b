package sinks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/kong/keg"
)

// share is one client and what it takes to open it: the part of the pool that
// knows time. Its lock is never held while a client opens or closes.
type share struct {
	log     *slog.Logger
	dial    func(ctx context.Context) (io.Closer, error)
	holders int // leases; guarded by the pool's lock

	ctx  context.Context // ends when the share closes
	stop context.CancelFunc
	work sync.WaitGroup // attempts to open, and discarded clients that are closing

	mu      sync.Mutex
	current io.Closer // nil: not open
	opening *opening  // nil: nobody is opening it
	closed  bool
}

// opening is one attempt to open a client, and those who wait for it.
type opening struct {
	done   chan struct{} // closed when client and err are set
	client io.Closer
	err    error
}

func newShare(log *slog.Logger, dial func(ctx context.Context) (io.Closer, error)) *share {
	ctx, stop := context.WithCancel(context.Background())
	return &share{log: log, dial: dial, ctx: ctx, stop: stop}
}

func (s *share) client(ctx context.Context) (io.Closer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, keg.Unreachable(errClosed)
	}
	if c := s.current; c != nil {
		s.mu.Unlock()
		return c, nil
	}
	o := s.opening
	if o == nil {
		o = &opening{done: make(chan struct{})}
		s.opening = o
		s.work.Go(func() { s.open(o) })
	}
	s.mu.Unlock()

	select {
	case <-o.done:
		return o.client, o.err
	case <-ctx.Done():
		return nil, keg.Unreachable(fmt.Errorf("waiting for a connection: %w", ctx.Err()))
	}
}

func (s *share) open(o *opening) {
	ctx, cancel := context.WithTimeout(s.ctx, openTimeout)
	defer cancel()
	c, err := s.safely(ctx)

	s.mu.Lock()
	late := s.closed
	s.opening = nil
	if err == nil && !late {
		s.current = c
	}
	s.mu.Unlock()

	switch {
	case err != nil:
		o.err = outage(err)
	case late:
		o.err = outage(errors.Join(errClosed, c.Close()))
	default:
		o.client = c
	}
	close(o.done)
}

// outage marks an error of a connection that did not come about, whatever it is:
// no event had any part in it. Only what is final already stays so, such as an
// address that is never connected to.
func outage(err error) error {
	if keg.IsPermanent(err) {
		return err
	}
	return keg.Unreachable(err)
}

// safely is dial on a goroutine of its own, where nobody else would catch a panic
// of a client library, which must not end the process.
func (s *share) safely(ctx context.Context) (c io.Closer, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			s.log.Error("a fault of KEG was caught", "where", "opening a client", "cause", fmt.Sprintf("%v\n%s", cause, debug.Stack()))
			c, err = nil, errors.New("the client could not be opened for an internal error, which the log of KEG describes")
		}
	}()
	return s.dial(ctx)
}

func (s *share) discard(c io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != c || s.closed {
		return
	}
	s.current = nil
	s.work.Go(func() {
		if err := c.Close(); err != nil {
			s.log.Warn("a client that was given up did not close well", "error", err)
		}
	})
}

func (s *share) isOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current != nil
}

// close ends every attempt to open and closes the client. It waits for both no
// longer than closeTimeout.
func (s *share) close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	c := s.current
	s.current = nil
	s.mu.Unlock()
	s.stop()

	done := make(chan error, 1)
	go func() {
		var err error
		if c != nil {
			err = c.Close()
		}
		s.work.Wait()
		done <- err
	}()
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("a client did not close within %v and was left behind", closeTimeout)
	}
}
