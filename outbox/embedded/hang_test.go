package embedded_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
	"github.com/kong/keg/outbox/embedded"
)

// A disk that hangs holds up no sender beyond what its context says; and what it
// stores in the end, whether or not somebody was told so, is handed out.
func TestADiskThatHangsHoldsNoSender(t *testing.T) {
	var hanging atomic.Pointer[chan struct{}]
	hangs := make(chan struct{}, 1) // has something once a sync does
	disk := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSync {
			if until := hanging.Load(); until != nil {
				select {
				case hangs <- struct{}{}:
				default:
				}
				<-*until
			}
		}
		return nil
	}))
	s := open(t, "store", embedded.Options{}.On(disk))
	defer closed(t, s)
	released := make(chan struct{})
	hanging.Store(&released)
	entry := func(id string, hold bool) *outbox.Entry {
		return &outbox.Entry{Event: &keg.Event{ID: id, Source: "s", Type: "t"}, Owed: []*outbox.Owed{{Queue: faultQueue, Hold: hold}}}
	}
	for _, test := range []struct {
		id  string
		ctx func() (context.Context, context.CancelFunc)
		err error
	}{
		{"its sender leaves while it is written", func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			go func() {
				<-hangs
				cancel()
			}()
			return ctx, cancel
		}, context.Canceled},
		{"at once", func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), time.Millisecond)
		}, context.DeadlineExceeded},
		{"soon", func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 100*time.Millisecond)
		}, context.DeadlineExceeded},
	} {
		ctx, cancel := test.ctx()
		began := time.Now()
		err := s.Put(ctx, entry(test.id, true))
		cancel()
		if took := time.Since(began); !errors.Is(err, test.err) || took > time.Second {
			t.Errorf("%s: %v after %v, want %v", test.id, err, took, test.err)
		}
	}
	patient := make(chan error)
	go func() { patient <- s.Put(t.Context(), entry("patient", false)) }()
	select {
	case err := <-patient:
		t.Fatalf("the disk hangs, and a Put says %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	close(released)
	if err := <-patient; err != nil {
		t.Fatal(err)
	}
	eventually(t, "what was left is given back", func() bool { return s.Held() == 0 })
	if err := put(s, "after", 10); err != nil {
		t.Fatal(err)
	}
	got := left(t, s)
	for _, id := range []string{"its sender leaves while it is written", "patient", "after"} { // the others' senders left before
		if !slices.Contains(got, id) {
			t.Errorf("%q is lost: %q", id, got)
		}
	}
}
