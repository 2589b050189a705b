package sources

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/kong/keg"
)

// intake is a handler as a source's way in, which keeps no dead letters.
type intake keg.Handler

func (in intake) Publish(ctx context.Context, events ...*keg.Event) keg.Receipts {
	return in(ctx, events...)
}

func (intake) Abandon(context.Context, ...*keg.DeadLetter) error {
	return errors.New("this test keeps no dead letters")
}

// store is an intake that keeps all that it is given, in the order of its calls.
// judge, where it is set, gives the error of an event's receipt.
type store struct {
	judge func(e *keg.Event) error
	bury  func(d *keg.DeadLetter) error

	mu     sync.Mutex
	events []*keg.Event // safe
	dead   []*keg.DeadLetter
	calls  int
	inside int // calls under way
	most   int
}

func (s *store) enter() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.inside++
	s.most = max(s.most, s.inside)
}

func (s *store) Publish(_ context.Context, events ...*keg.Event) keg.Receipts {
	s.enter()
	receipts := make(keg.Receipts, len(events))
	for i, e := range events {
		receipts[i].ID = e.ID
		if s.judge != nil {
			receipts[i].Err = s.judge(e)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inside--
	for i, e := range events {
		if receipts[i].Err == nil {
			s.events = append(s.events, e)
		}
	}
	return receipts
}

func (s *store) Abandon(_ context.Context, dead ...*keg.DeadLetter) error {
	s.enter()
	var err error
	for _, d := range dead {
		if s.bury != nil {
			err = errors.Join(err, s.bury(d))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inside--
	if err == nil {
		s.dead = append(s.dead, dead...)
	}
	return err
}

func (s *store) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, len(s.events))
	for i, e := range s.events {
		ids[i] = e.ID
	}
	return ids
}

func (s *store) letters() []*keg.DeadLetter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*keg.DeadLetter(nil), s.dead...)
}

func (s *store) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.events) + len(s.dead)
}

// await blocks until holds does.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in a minute: %s", what)
		}
	}
}

// awaitAll waits until the store has every id from 0 up to n.
func (s *store) awaitAll(t testing.TB, n int) {
	t.Helper()
	has := func() bool {
		seen := make(map[string]bool)
		for _, id := range s.ids() {
			seen[id] = true
		}
		for i := range n {
			if !seen[fmt.Sprint(i)] {
				return false
			}
		}
		return true
	}
	await(t, fmt.Sprintf("%d events", n), has)
}

// background runs a source until the test ends, or stop is called.
func background(t testing.TB, source keg.Source, in keg.Intake) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- source.Run(ctx, in) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("Run: %v", err)
				}
			case <-time.After(time.Minute):
				t.Error("the source did not stop in a minute")
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func openTest(t testing.TB, c keg.SourceConfig, o Options) keg.Source {
	t.Helper()
	source, err := Open(c, o)
	if err != nil {
		t.Fatal(err)
	}
	return source
}
