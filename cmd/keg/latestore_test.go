package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
	"github.com/kong/keg/outbox/embedded"
)

func TestPutsWaitForTheStore(t *testing.T) {
	entry := func() *outbox.Entry {
		return &outbox.Entry{Event: &keg.Event{ID: "1", Source: "s", Type: "t"}, Owed: []*outbox.Owed{{Queue: outbox.Queue{Route: "r"}}}}
	}
	put := func(l *lateStore, ctx context.Context) <-chan error {
		ended := make(chan error, 1)
		go func() { ended <- l.Put(ctx, entry()) }()
		return ended
	}
	unavailable := func(t *testing.T, err error, why string) {
		t.Helper()
		if u, ok := errors.AsType[*outbox.UnavailableError](err); !ok || !strings.Contains(u.Problem, why) {
			t.Errorf("%v", err)
		}
	}
	t.Run("until it is open", func(t *testing.T) {
		l := newLateStore()
		unavailable(t, l.Check(), "is being opened")
		if l.Changed() != nil {
			t.Error("something has changed in no store")
		}
		ended := put(l, t.Context())
		store, err := embedded.Open(t.TempDir(), embedded.Options{})
		if err != nil {
			t.Fatal(err)
		}
		l.set(store)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if queues, _, err := l.Ready(t.Context()); err != nil || len(queues) != 1 {
			t.Errorf("%v, %v", queues, err)
		}
		if err := errors.Join(l.Check(), l.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Run("for as long as their senders do", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		unavailable(t, <-put(newLateStore(), ctx), "is being opened")
	})
	t.Run("not for one that will never be", func(t *testing.T) {
		l := newLateStore()
		ended := put(l, t.Context())
		l.giveUp("KEG stops")
		unavailable(t, <-ended, "KEG stops")
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestAStoreThatCannotBeOpenedEndsKegWithItsSocketRemoved(t *testing.T) {
	dir, err := os.MkdirTemp("", "keg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket, file := filepath.Join(dir, "s"), filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, []string{"KEG_PERSISTENCE_ENABLE=true", "KEG_PERSISTENCE_URL=file://" + file}, "serve", "--socket", socket)
	if status := p.wait(); status != 2 || !strings.Contains(p.said(), file) {
		t.Errorf("status %d", status)
	}
	if _, err := os.Lstat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket: %v", err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "mine" {
		t.Errorf("%q, %v", text, err)
	}
}
