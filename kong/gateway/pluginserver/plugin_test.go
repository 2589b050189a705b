package pluginserver

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"
)

// listener is a plugin server whose every connection is served by a function.
// obey serves calls: instances start with growing ids, events end at once unless
// event says otherwise.
// caller answers every PDK call with its own argument.
func TestPipelinedCallsAreAnsweredInOrder(t *testing.T) {
	path := listener(t, obey(t, func(conn net.Conn, _ *kong_plugin_protocol.RpcCall) bool {
		var batch []byte
		for _, text := range []string{"m", "first", "m", "second", "m", ""} {
			batch = binary.LittleEndian.AppendUint32(batch, uint32(len(text)))
			batch = append(batch, text...)
		}
		_, _ = conn.Write(batch)
		for _, want := range []string{"first", "second", ""} {
			if got, err := readFrame(conn, time.Second); err != nil || string(got) != want {
				t.Errorf("%q, %v; want %q", got, err, want)
			}
		}
		return true
	}))
	p, c, _ := newPlugin(t, path, 1, 5*time.Second)
	if err := p.Handle(t.Context(), 0, one, "access", c); err != nil {
		t.Fatal(err)
	}
}

func TestExitKeepsTheConnectionUntilTheRequestIsOver(t *testing.T) {
	closed := make(chan error, 1)
	path := listener(t, obey(t, func(conn net.Conn, _ *kong_plugin_protocol.RpcCall) bool {
		_ = writeFrame(conn, time.Second, []byte("kong.response.exit"))
		_ = writeFrame(conn, time.Second, nil)
		_, err := readFrame(conn, 5*time.Second)
		closed <- err
		return false
	}))
	p, c, _ := newPlugin(t, path, 1, 5*time.Second)
	c.err = ErrExit
	if err := p.Handle(t.Context(), 0, one, "access", c); err != nil {
		t.Fatal(err)
	}
	if len(c.kept) != 1 {
		t.Fatalf("%d connections were kept", len(c.kept))
	}
	select {
	case err := <-closed:
		t.Fatalf("closed before the request was over: %v", err)
	default:
	}
	c.kept[0].Close()
	if err := <-closed; !errors.Is(err, errClosed) {
		t.Errorf("the plugin saw %v", err)
	}
}

func TestFailuresAreNotRunAgain(t *testing.T) {
	for name, c := range map[string]struct {
		event   func(net.Conn) bool
		call    error
		problem string
	}{
		"a PDK method that fails, whatever it says": {func(conn net.Conn) bool {
			_ = writeFrame(conn, time.Second, []byte("m"))
			_ = writeFrame(conn, time.Second, nil)
			_, _ = readFrame(conn, time.Second)
			return false
		}, errors.New("the upstream closed"), "the upstream closed"},
		"silence": {func(conn net.Conn) bool { _, _ = readFrame(conn, 5*time.Second); return false }, nil, "timeout"},
		"a length of 4 GiB": {func(conn net.Conn) bool {
			_, _ = conn.Write([]byte{0xff, 0xff, 0xff, 0xff})
			_, _ = readFrame(conn, 5*time.Second)
			return false
		}, nil, "a frame of 4294967295 bytes"},
		"a return that is none": {func(conn net.Conn) bool {
			_ = writeFrame(conn, time.Second, nil)
			_ = writeFrame(conn, time.Second, []byte{0xff})
			_, _ = readFrame(conn, 5*time.Second)
			return false
		}, nil, "no RpcReturn"},
		"a return to another call": {func(conn net.Conn) bool {
			_ = writeFrame(conn, time.Second, nil)
			_ = writeFrame(conn, time.Second, []byte{8, 99})
			_, _ = readFrame(conn, 5*time.Second)
			return false
		}, nil, "has the sequence 99"},
	} {
		t.Run(name, func(t *testing.T) {
			var runs atomic.Int32
			path := listener(t, obey(t, func(conn net.Conn, _ *kong_plugin_protocol.RpcCall) bool {
				runs.Add(1)
				return c.event(conn)
			}))
			p, caller, _ := newPlugin(t, path, 1, 200*time.Millisecond)
			caller.err = c.call
			err := p.Handle(t.Context(), 0, one, "access", caller)
			var failure *Failure
			if !errors.As(err, &failure) || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("the error is %v, want %q", err, c.problem)
			}
			if runs.Load() != 1 {
				t.Errorf("the event ran %d times", runs.Load())
			}
		})
	}
}

func TestNoSocketIsAFailureAndNotFinal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	p, c, _ := newPlugin(t, path, 1, time.Second)
	if err := p.Handle(t.Context(), 0, one, "access", c); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("the error is %v", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		if conn, err := l.Accept(); err == nil {
			defer conn.Close()
			obey(t, nil)(conn)
		}
	})
	if err := p.Handle(t.Context(), 0, one, "access", c); err != nil {
		t.Errorf("once it is there: %v", err)
	}
	l.Close()
	p.workers[0].pool.close()
	served.Wait()
}

func TestClosedConnectionForgetsInstancesInEveryWorker(t *testing.T) {
	var die atomic.Bool
	path := listener(t, obey(t, func(net.Conn, *kong_plugin_protocol.RpcCall) bool { return !die.CompareAndSwap(true, false) }))
	p, c, _ := newPlugin(t, path, 3, time.Second)
	for worker := range 3 {
		if err := p.Handle(t.Context(), worker, one, "access", c); err != nil {
			t.Fatal(err)
		}
	}
	die.Store(true)
	if err := p.Handle(t.Context(), 0, one, "access", c); err != nil {
		t.Fatal(err)
	}
	for worker, want := range []int{1, 0, 0} {
		if got := len(p.workers[worker].instances); got != want {
			t.Errorf("worker %d has %d instances, want %d", worker, got, want)
		}
	}
}

func TestIdleConnectionsEnd(t *testing.T) {
	ended := make(chan struct{}, 1)
	serve := obey(t, nil)
	path := listener(t, func(conn net.Conn) { serve(conn); ended <- struct{}{} })
	sockets := NewSockets(KongTimeouts)
	sockets.idle = 50 * time.Millisecond
	defer sockets.Close()
	p := NewPlugin("p", path, 1, sockets, slog.New(slog.DiscardHandler))
	if err := p.Handle(t.Context(), 0, one, "access", &caller{}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the idle connection stays")
	}
}

func TestConnectionIsUsedAgainUnlessThePluginWroteUnasked(t *testing.T) {
	for name, c := range map[string]struct {
		noise []byte
		conns int32
	}{
		"quiet": {nil, 1},
		"noisy": {[]byte{1}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			var conns atomic.Int32
			wrote := make(chan struct{}, 2)
			path := listener(t, func(conn net.Conn) {
				conns.Add(1)
				obey(t, func(conn net.Conn, call *kong_plugin_protocol.RpcCall) bool {
					reply, _ := proto.Marshal(&kong_plugin_protocol.RpcReturn{Sequence: call.Sequence})
					_ = writeFrame(conn, time.Second, nil)
					_ = writeFrame(conn, time.Second, reply)
					_, _ = conn.Write(c.noise)
					wrote <- struct{}{}
					_, _ = readFrame(conn, 200*time.Millisecond) // a second event, or the end
					return false
				})(conn)
			})
			p, caller, _ := newPlugin(t, path, 1, time.Second)
			if err := p.Handle(t.Context(), 0, one, "access", caller); err != nil {
				t.Fatal(err)
			}
			<-wrote
			conn, err := p.workers[0].pool.take(t.Context(), time.Second)
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
			for deadline := time.Now().Add(5 * time.Second); conns.Load() < c.conns && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			if conns.Load() != c.conns {
				t.Errorf("%d connections, want %d", conns.Load(), c.conns)
			}
		})
	}
}

func TestStopEndsAnEventThatHangs(t *testing.T) {
	reached := make(chan struct{})
	path := listener(t, obey(t, func(conn net.Conn, _ *kong_plugin_protocol.RpcCall) bool {
		close(reached)
		_, _ = readFrame(conn, 10*time.Second)
		return false
	}))
	p, c, _ := newPlugin(t, path, 1, time.Minute)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Handle(ctx, 0, one, "access", c) }()
	<-reached
	stop()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it ended well")
		}
	case <-time.After(10 * time.Second):
		t.Error("it hangs")
	}
}

func TestManyFirstEventsStartOneInstance(t *testing.T) {
	path := listener(t, obey(t, nil))
	p, c, _ := newPlugin(t, path, 2, 5*time.Second)
	var events sync.WaitGroup
	for i := range 64 {
		events.Go(func() {
			if err := p.Handle(t.Context(), i%2, one, "access", c); err != nil {
				t.Error(err)
			}
		})
	}
	events.Wait()
	for i, w := range p.workers {
		if w.instances["e"].id > 2 {
			t.Errorf("worker %d has the instance %d", i, w.instances["e"].id)
		}
	}
}

func BenchmarkEvent(b *testing.B) {
	t := &testing.T{}
	path := filepath.Join(b.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); obey(t, nil)(conn) }()
		}
	}()
	sockets := NewSockets(KongTimeouts)
	defer sockets.Close()
	p := NewPlugin("p", path, 1, sockets, slog.New(slog.DiscardHandler))
	c := &caller{}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Handle(b.Context(), 0, one, "access", c); err != nil {
			b.Fatal(err)
		}
	}
}
