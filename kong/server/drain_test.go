package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/kong/keg/kong/server"
)

// stopping is a server that a test stops itself.
type stopping struct {
	socket string
	stop   context.CancelFunc
	done   chan error
}

func start(t *testing.T, o server.Options) *stopping {
	t.Helper()
	if o.Socket == "" {
		o.Socket = filepath.Join(t.TempDir(), "s")
	}
	s, err := server.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &stopping{o.Socket, cancel, make(chan error, 1)}
	go func() { r.done <- s.Serve(ctx) }()
	return r
}

func (s *stopping) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.done:
		return err
	case <-time.After(15 * time.Second):
		t.Fatal("the server did not stop")
		return nil
	}
}

func TestStoppingLetsEventsEnd(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent()) // what other tests left is theirs
	enter, leave := make(chan struct{}), make(chan struct{})
	s := start(t, server.Options{Plugins: []server.Plugin{echo("p", func(ctx context.Context, _ *server.Call) error {
		enter <- struct{}{}
		<-leave
		return ctx.Err()
	})}})
	idle, busy := dial(t, s.socket), newKong(t, dial(t, s.socket))
	id := busy.start("p", `{}`)
	ended := make(chan struct{})
	go func() { busy.event(id, "access"); close(ended) }()
	<-enter
	s.stop()

	// Idle connections end cleanly, not with a reset, which would be a client's 500.
	if _, err := io.ReadAll(idle); err != nil {
		t.Errorf("the idle connection: %v", err)
	}
	_ = idle.Close()
	eventually(t, "the socket is gone", func() bool { _, err := os.Lstat(s.socket); return errors.Is(err, os.ErrNotExist) })
	select {
	case err := <-s.done:
		t.Errorf("stopped over a running event: %v", err)
	default:
	}
	leave <- struct{}{}
	<-ended
	_ = busy.conn.Close()
	if err := s.wait(t); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestStoppingEndsTheContextOfAnEventThatIsTooSlow(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent()) // what other tests left is theirs
	enter := make(chan struct{})
	s := start(t, server.Options{Drain: 100 * time.Millisecond, Plugins: []server.Plugin{echo("p", func(ctx context.Context, _ *server.Call) error {
		close(enter)
		<-ctx.Done()
		return nil
	})}})
	k := newKong(t, dial(t, s.socket))
	id := k.start("p", `{}`)
	ended := make(chan struct{})
	go func() { k.event(id, "access"); _ = k.conn.Close(); close(ended) }()
	<-enter
	s.stop()
	if err := s.wait(t); err != nil {
		t.Errorf("Serve: %v", err)
	}
	<-ended
}

func TestStoppingCutsOffAnEventThatDoesNotListen(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent()) // what other tests left is theirs
	enter, leave := make(chan struct{}), make(chan struct{})
	s := start(t, server.Options{Drain: 10 * time.Millisecond, Plugins: []server.Plugin{echo("p", func(context.Context, *server.Call) error {
		close(enter)
		<-leave
		return nil
	})}})
	k := newKong(t, dial(t, s.socket))
	id := k.start("p", `{}`)
	ended := make(chan error, 1)
	go func() { _, err := k.call(eventCommand(id, "access")); ended <- err }()
	<-enter
	s.stop()
	if err := s.wait(t); err == nil || !strings.Contains(err.Error(), "1 events") {
		t.Errorf("Serve: %v, want the number of events that were cut off", err)
	}
	if err := <-ended; err == nil {
		t.Error("Kong was told that the event ended")
	}
	close(leave)
}

func TestACommandThatMeetsTheStopIsAClose(t *testing.T) {
	// Kong runs the event again for an end of the stream; for a reset it
	// answers 500. So no command may meet a reset.
	for range 30 {
		s := start(t, server.Options{Plugins: []server.Plugin{echo("p", nothing)}})
		k := newKong(t, dial(t, s.socket))
		id := k.start("p", `{}`)
		go s.stop()
		for {
			_, err := k.call(eventCommand(id, "access"))
			if err == nil {
				continue
			}
			if err != io.EOF {
				t.Errorf("a command met %v", err)
			}
			break
		}
		_ = k.conn.Close()
		if err := s.wait(t); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatKongStillWritesAfterTheHangUpIsNotReset(t *testing.T) {
	s := start(t, server.Options{Plugins: []server.Plugin{echo("p", nothing)}})
	k := newKong(t, dial(t, s.socket))
	id := k.start("p", `{}`)
	s.stop()
	eventually(t, "the server has hung up", func() bool { _, err := os.Lstat(s.socket); return errors.Is(err, os.ErrNotExist) })
	command, _ := proto.Marshal(eventCommand(id, "access"))
	for _, part := range [][]byte{{byte(len(command)), 0, 0, 0}, command} {
		if _, err := k.conn.Write(part); err != nil {
			t.Fatalf("Kong could not write: %v", err)
		}
		time.Sleep(50 * time.Millisecond) // the server takes what has come
	}
	if _, err := k.read(); err != io.EOF {
		t.Errorf("Kong reads %v", err)
	}
	_ = k.conn.Close()
	if err := s.wait(t); err != nil {
		t.Error(err)
	}
}

func TestTimeThatKongTakesIsNotThePlugins(t *testing.T) {
	const allowed, slow = time.Minute, 300 * time.Millisecond
	left := make(chan time.Duration, 1)
	socket := serve(t, server.Options{EventTimeout: allowed, Plugins: []server.Plugin{echo("p", func(ctx context.Context, c *server.Call) error {
		b := c.Batch()
		b.Method()
		if err := b.Do(); err != nil {
			return err
		}
		deadline, _ := ctx.Deadline()
		left <- time.Until(deadline)
		return nil
	})}})
	k := newKong(t, &slowly{dial(t, socket), slow})
	k.event(k.start("p", `{}`), "access")
	if got := <-left; got < allowed-slow {
		t.Errorf("%v were left after an answer that took %v", got, slow)
	}
}

// slowly is a Kong that takes its time to write.
type slowly struct {
	net.Conn
	by time.Duration
}

func (s *slowly) Write(p []byte) (int, error) {
	time.Sleep(s.by)
	return s.Conn.Write(p)
}

func TestAnExitedConnectionDoesNotHoldUpTheStop(t *testing.T) {
	s := start(t, server.Options{Plugins: []server.Plugin{echo("p", func(_ context.Context, c *server.Call) error { return c.Exit(202, nil, nil) })}})
	k := newKong(t, dial(t, s.socket))
	command, _ := proto.Marshal(eventCommand(k.start("p", `{}`), "access"))
	if err := k.write(command); err != nil {
		t.Fatal(err)
	}
	if method, err := k.read(); err != nil || string(method) != "kong.response.exit" {
		t.Fatalf("%q, %v", method, err)
	}
	began := time.Now()
	s.stop()
	if err := s.wait(t); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("stopping took %v: %v", time.Since(began), err)
	}
}

func TestTheContextOfAnEventEnds(t *testing.T) {
	seen := make(chan error, 1)
	socket := serve(t, server.Options{EventTimeout: 50 * time.Millisecond, Plugins: []server.Plugin{echo("p", func(ctx context.Context, _ *server.Call) error {
		<-ctx.Done()
		seen <- ctx.Err()
		return nil
	})}})
	k := newKong(t, dial(t, socket))
	k.event(k.start("p", `{}`), "access")
	if err := <-seen; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ended with %v", err)
	}
}

func TestConnectionsThatWaitForServeAreServed(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	s, err := server.New(server.Options{Socket: socket, Plugins: []server.Plugin{echo("p", nothing)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	early, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	k := newKong(t, early)
	k.event(k.start("p", `{}`), "access")
	_ = early.Close()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
