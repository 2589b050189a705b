package server_test

import (
	"context"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kong/keg/kong/server"
	"github.com/kong/keg/test/logtest"
)

// counted is a plugin that counts its instances.
type counted struct {
	started, closed atomic.Int64
	enter, leave    chan struct{} // an event's, if they are made
}

func (c *counted) plugin() server.Plugin {
	p := echo("p", nil)
	p.Start = func(any) (server.Instance, error) {
		c.started.Add(1)
		return &countedInstance{of: c}, nil
	}
	return p
}

type countedInstance struct {
	of     *counted
	closed atomic.Bool
}

func (i *countedInstance) Access(context.Context, *server.Call) error {
	if i.of.enter != nil {
		i.of.enter <- struct{}{}
		<-i.of.leave
	}
	if i.closed.Load() {
		panic("an event on a closed instance")
	}
	return nil
}

func (i *countedInstance) Log(context.Context, *server.Call) error { return nil }

func (i *countedInstance) Close() error {
	if i.closed.Swap(true) {
		panic("closed twice")
	}
	i.of.closed.Add(1)
	return nil
}

func TestTenThousandInstancesLeaveNothingBehind(t *testing.T) {
	var c counted
	var log logtest.Log
	socket := serve(t, server.Options{Log: log.Logger(), Plugins: []server.Plugin{c.plugin()}})
	goroutines := runtime.NumGoroutine()
	ids := make(map[int32]bool)
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range 4 {
		k := newKong(t, dial(t, socket))
		workers.Go(func() {
			for range 2500 {
				id := k.start("p", `{"__seq__":1}`)
				mu.Lock()
				if ids[id] {
					t.Errorf("id %d was given twice", id)
				}
				ids[id] = true
				mu.Unlock()
				if _, err := k.call(closeCommand(id)); err != nil {
					t.Errorf("closing %d: %v", id, err)
					return
				}
			}
		})
	}
	workers.Wait()
	if c.started.Load() != 10_000 || c.closed.Load() < 8_900 {
		t.Errorf("%d were started and %d closed", c.started.Load(), c.closed.Load())
	}
	eventually(t, "all are closed", func() bool { return c.closed.Load() == 10_000 })
	if n := runtime.NumGoroutine(); n > goroutines+8 {
		t.Errorf("%d goroutines, %d before", n, goroutines)
	}
}

func TestAnInstanceIsNotClosedUnderItsEvent(t *testing.T) {
	c := counted{enter: make(chan struct{}), leave: make(chan struct{})}
	socket := serve(t, server.Options{ClosedInstance: time.Millisecond, Plugins: []server.Plugin{c.plugin()}})
	one, other := newKong(t, dial(t, socket)), newKong(t, dial(t, socket))
	id := one.start("p", `{}`)
	ended := make(chan struct{})
	go func() { one.event(id, "access"); close(ended) }()
	<-c.enter
	if _, err := other.call(closeCommand(id)); err != nil {
		t.Fatal(err)
	}
	if c.closed.Load() != 0 {
		t.Error("the instance was closed while its event ran")
	}
	c.leave <- struct{}{}
	<-ended
	eventually(t, "the instance is closed after its event", func() bool { return c.closed.Load() == 1 })
}

// TestAnEventThatIsReadAfterTheCloseOfItsInstance: Kong sent it before, by another
// connection.
func TestAnEventThatIsReadAfterTheCloseOfItsInstance(t *testing.T) {
	var c counted
	socket := serve(t, server.Options{Plugins: []server.Plugin{c.plugin()}})
	one, other := newKong(t, dial(t, socket)), newKong(t, dial(t, socket))
	id := one.start("p", `{}`)
	if _, err := other.call(closeCommand(id)); err != nil {
		t.Fatal(err)
	}
	one.event(id, "access")
	if c.closed.Load() != 0 {
		t.Error("the instance was closed at once")
	}
	eventually(t, "the instance is closed after a while", func() bool { return c.closed.Load() == 1 })
	if _, err := one.call(eventCommand(id, "access")); err != io.EOF {
		t.Errorf("an event long after: %v, want a close", err)
	}
	if _, err := other.call(closeCommand(id)); err != io.EOF {
		t.Errorf("a second close: %v, want a close", err)
	}
}

func TestIdleInstancesAreDroppedByTheirLastEvent(t *testing.T) {
	var c counted
	const idle = 300 * time.Millisecond
	socket := serve(t, server.Options{IdleInstance: idle, Plugins: []server.Plugin{c.plugin()}})
	k := newKong(t, dial(t, socket))
	busy, left := k.start("p", `{}`), k.start("p", `{}`)
	for until := time.Now().Add(3 * idle); time.Now().Before(until); time.Sleep(idle / 20) {
		k.event(busy, "access")
	}
	if c.closed.Load() != 1 {
		t.Errorf("%d of two instances were dropped, want the one without events", c.closed.Load())
	}
	if _, err := k.call(eventCommand(left, "access")); err != io.EOF {
		t.Errorf("an event of the dropped instance: %v, want a close", err)
	}
	newKong(t, dial(t, socket)).event(busy, "access")
}

func TestStoppingClosesEveryInstance(t *testing.T) {
	var c counted
	t.Run("serve", func(t *testing.T) {
		k := newKong(t, dial(t, serve(t, server.Options{Plugins: []server.Plugin{c.plugin()}})))
		for range 10 {
			k.start("p", `{}`)
		}
	})
	if c.closed.Load() != 10 {
		t.Errorf("%d of 10 instances were closed", c.closed.Load())
	}
}

func TestTwoServersGiveDifferentIDs(t *testing.T) {
	// A worker may send the id of the process before this one.
	var c counted
	first := newKong(t, dial(t, serve(t, server.Options{Plugins: []server.Plugin{c.plugin()}}))).start("p", `{}`)
	second := newKong(t, dial(t, serve(t, server.Options{Plugins: []server.Plugin{c.plugin()}}))).start("p", `{}`)
	if first == second {
		t.Errorf("both gave %d", first)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Errorf("not so: %s", what)
}
