package outboxtest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/kong/keg/outbox"
)

// patience is how long the suite waits for what must happen. It is never spent
// by a store that works.
const patience = 30 * time.Second

// Harness is the home of one store, empty at first, and how to come back to it.
type Harness struct {
	// Open opens the store on the harness's data. The suite has closed or killed
	// the one before, unless the harness is Shared. Whatever is still open when
	// the test ends, the suite closes.
	Open func(t *testing.T) outbox.Store
	// Kill ends a store as kill -9 ends its process: nothing is given back, and
	// what Settle has not made durable may be undone. Nil: the suite closes it.
	Kill func(t *testing.T, s outbox.Store)
	// Shared tells that several stores may be open on the same data at once, as
	// nodes on one database.
	Shared bool
	// Lease is the longest that what a killed store held stays held: 0 where it
	// is free as soon as the store is opened again.
	Lease time.Duration
}

// Run runs the suite, each test with a harness of its own.
func Run(t *testing.T, harness func(t *testing.T) Harness) {
	for _, tests := range []map[string]func(*home){
		putTests, settleTests, orderTests, deadTests, replayTests, dedupeTests, signalTests, reopenTests, nodeTests, statsTests, loadTests, modelTests,
	} {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) { test(&home{T: t, h: harness(t)}) })
		}
	}
}

// home is a test with its harness and the stores that it has opened.
type home struct {
	*testing.T
	h Harness

	once sync.Once
	seed uint64
}

// node is an open store, whose calls end the test when they fail.
type node struct {
	outbox.Store
	t      *home
	closed bool
}

// open opens the store, or, where the harness is shared, one more.
func (t *home) open() *node {
	t.Helper()
	s := &node{Store: t.h.Open(t.T), t: t}
	t.Cleanup(func() {
		if !s.closed {
			s.close()
		}
	})
	return s
}

func (s *node) close() {
	s.t.Helper()
	s.closed = true
	if err := s.Close(); err != nil {
		s.t.Errorf("Close: %v", err)
	}
}

func (s *node) kill() {
	s.t.Helper()
	if s.t.h.Kill == nil {
		s.close()
		return
	}
	s.closed = true
	s.t.h.Kill(s.t.T, s.Store)
}

// ctx ends when the test has waited long enough for anything.
func (t *home) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until condition holds.
func (t *home) eventually(what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience + t.h.Lease); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v", what, patience)
		}
	}
}
