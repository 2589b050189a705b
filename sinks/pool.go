package sinks

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// openTimeout bounds one attempt to open a client, whoever waits for it.
	openTimeout = 15 * time.Second
	// closeTimeout bounds the closing of one client. One that takes longer is
	// left to end on its own, and the log says so.
	closeTimeout = 10 * time.Second
)

// errClosed is what a Send hears that comes after its sink was closed.
var errClosed = errors.New("the sink is closed")

// Pool holds the clients that sinks send through: one for each distinct cluster
// and credentials. A client is opened by the first Send that needs it and
// closed with the last sink over it. All methods may be called by many
// goroutines at once.
type Pool struct {
	log *slog.Logger

	mu     sync.Mutex
	shares map[any]*share
	closed bool
}

// NewPool returns an empty pool. It logs what no caller is there to hear: a
// client that was given up, or would not close.
func NewPool(log *slog.Logger) *Pool {
	return &Pool{log: log, shares: make(map[any]*share)}
}

// Clients counts the clients that are open now.
func (p *Pool) Clients() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	open := 0
	for _, s := range p.shares {
		if s.isOpen() {
			open++
		}
	}
	return open
}

// Close closes every client, also those whose sinks are still open, all at once
// and within a bounded time. Sends fail from then on.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	shares := p.shares
	p.shares = nil
	p.mu.Unlock()

	errs := make(chan error, len(shares))
	for _, s := range shares {
		go func() { errs <- s.close() }()
	}
	var all []error
	for range shares {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

// lease is one sink's hold on a client that it may share with others.
type lease[C io.Closer] struct {
	pool  *Pool
	key   any
	share *share
}

// hold returns a lease of the client that key names. Key is a comparable value
// of a type of the kind's own, with all that tells clients apart: the cluster
// and the credentials themselves, not the files that they came from. Equal keys
// must come with dials that make equal clients, for only the first is used.
//
// Dial opens a client. It is called when a Send needs one, never under a lock
// and never twice at once; it must return soon after ctx ends, and the client
// must outlive ctx.
func hold[C io.Closer](p *Pool, key any, dial func(ctx context.Context) (C, error)) (*lease[C], error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	s := p.shares[key]
	if s == nil {
		s = newShare(p.log, func(ctx context.Context) (io.Closer, error) { return dial(ctx) })
		p.shares[key] = s
	}
	s.holders++
	return &lease[C]{pool: p, key: key, share: s}, nil
}

// client returns the open client, or opens it. Callers that come together share
// one attempt and its error; an error is not kept, and the next call tries
// anew. It returns when ctx ends, and leaves the attempt to the others. Its
// errors are outages, but for a context that had ended before.
func (l *lease[C]) client(ctx context.Context) (C, error) {
	c, err := l.share.client(ctx)
	if err != nil {
		var none C
		return none, err
	}
	return c.(C), nil
}

// discard gives up a client that has failed as a whole, so that the next call
// of client opens another. It closes c in the background, and does nothing if
// somebody else has discarded it already. C must be a pointer.
func (l *lease[C]) discard(c C) { l.share.discard(c) }

// Close ends the lease; the last one closes the client, and waits for that
// within a bounded time. It is called once.
func (l *lease[C]) Close() error {
	p := l.pool
	p.mu.Lock()
	l.share.holders--
	last := l.share.holders == 0
	if last && p.shares[l.key] == l.share {
		delete(p.shares, l.key)
	}
	p.mu.Unlock()
	if !last {
		return nil
	}
	return l.share.close()
}
