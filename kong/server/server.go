package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// Options say what a server serves, and how. Zero values mean the defaults.
type Options struct {
	// Socket is the path of the unix socket that kong.conf names.
	Socket string
	// SocketMode is the socket's; 0600 by default, for Kong's worker and the
	// plugin server run as the same user unless someone arranges otherwise.
	SocketMode fs.FileMode
	Plugins    []Plugin
	Log        *slog.Logger
	// MaxFrame is the most bytes of one frame, 64 MiB by default. Frames carry
	// a config, a log entry, or a body of up to nginx's client_body_buffer_size
	// (a larger one comes as a file); a longer one is refused before its bytes
	// are kept.
	MaxFrame int64
	// PeerTimeout is the longest wait for Kong: for the next command, the rest
	// of a frame, an answer, or the close after an exit. Half of it must be more
	// than the 60 s for which Kong keeps a connection, and Kong reads a slow
	// client's body before it answers. 3 minutes by default.
	PeerTimeout time.Duration
	// EventTimeout is how long a phase may take between two answers of Kong's,
	// by its context. It is well under the 60 s after which Kong gives up; 50 s
	// by default.
	EventTimeout time.Duration
	// IdleInstance is how long an instance is kept after its last event; 10
	// minutes by default. A worker that a reload replaces leaves its instances
	// behind, so a shorter time saves memory; an instance that was dropped too
	// early makes Kong start all of that plugin's again at its next event.
	IdleInstance time.Duration
	// ClosedInstance is how long an instance that Kong has closed still takes
	// events that were on their way; 2 s by default.
	ClosedInstance time.Duration
	// Drain is how long events may take to end once the server has to stop, 10 s
	// by default. Then their contexts end, and soon after their connections.
	Drain time.Duration
}

func (o *Options) setDefaults() {
	orElse := func(d *time.Duration, fallback time.Duration) {
		if *d <= 0 {
			*d = fallback
		}
	}
	orElse(&o.PeerTimeout, 3*time.Minute)
	orElse(&o.EventTimeout, 50*time.Second)
	orElse(&o.IdleInstance, 10*time.Minute)
	orElse(&o.ClosedInstance, 2*time.Second)
	orElse(&o.Drain, 10*time.Second)
	if o.MaxFrame <= 0 {
		o.MaxFrame = 64 << 20
	}
	if o.SocketMode == 0 {
		o.SocketMode = 0o600
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Server serves plugins to Kong.
type Server struct {
	options   Options
	log       *slog.Logger
	instances *instances
	failures  *failures
	made      time.Time

	mu       sync.Mutex
	socket   *socket
	tookOver bool
	conns    map[*conn]struct{}
	stop     bool
	served   sync.WaitGroup
}

// sayAgain is how often the same failure is logged.
const sayAgain = time.Minute

// New checks the options. It listens nowhere yet.
func New(o Options) (*Server, error) {
	o.setDefaults()
	var errs []error
	if len(o.Plugins) == 0 {
		errs = append(errs, errors.New("a plugin server needs a plugin"))
	}
	names := make(map[string]bool)
	for i := range o.Plugins {
		p := &o.Plugins[i]
		if names[p.Name] {
			errs = append(errs, fmt.Errorf("two plugins are called %q", p.Name))
		}
		names[p.Name] = true
		errs = append(errs, p.check())
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Server{
		options: o, log: o.Log, made: time.Now(),
		instances: newInstances(o.Log, o.ClosedInstance),
		failures:  newFailures(sayAgain),
		conns:     make(map[*conn]struct{}),
	}, nil
}

// Listen takes the socket. Connections wait in the kernel until [Server.Serve]
// accepts them, so a program listens first and then makes ready what its
// plugins need: Kong answers 500 for as long as there is no socket.
func (s *Server) Listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.socket != nil {
		return nil
	}
	socket, err := listen(s.options.Socket, s.options.SocketMode, s.log)
	if err != nil {
		return err
	}
	s.socket, s.tookOver = socket, socket.took
	return nil
}

// TookOver reports whether another process listened on the socket when
// [Server.Listen] took it: while Kong reloads, the plugin server that this one
// replaces, which holds what else it listens on until it has ended.
func (s *Server) TookOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tookOver
}

// Serve takes the socket, unless [Server.Listen] has, and serves until ctx
// ends; a path that leads to nobody any more it takes again. Then it accepts
// nothing more, lets the events that run end within [Options.Drain], and closes
// every connection and instance. It returns nil where all events had ended by
// then. A server serves once.
func (s *Server) Serve(ctx context.Context) error {
	if err := s.Listen(); err != nil {
		return err
	}
	events, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stopIdle := s.dropIdle()
	defer stopIdle()

	var accepting sync.WaitGroup
	first := s.socket
	accepting.Go(func() { s.accept(events, first) })
	s.guard(ctx, events, &accepting)
	s.stopAccepting()
	accepting.Wait()
	return s.drain(cancel)
}

// accept takes connections until the socket is retired, and closes it.
func (s *Server) accept(events context.Context, from *socket) {
	defer func() { _ = from.Close() }()
	const most = time.Second
	pause := time.Duration(0)
	for {
		peer, err := from.AcceptUnix()
		switch {
		case errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
			return
		case err != nil:
			// Too many open files, as a rule: it passes.
			pause = min(max(2*pause, 5*time.Millisecond), most)
			s.failures.log(s.log, "", "Kong's plugin socket accepts no connection for now", err)
			time.Sleep(pause)
			continue
		}
		pause = 0
		s.serveConn(events, peer)
	}
}

func (s *Server) serveConn(events context.Context, peer *net.UnixConn) {
	stream, err := newStream(peer)
	if err != nil {
		_ = peer.Close() // it has been closed already, for nothing else can be wrong with it
		return
	}
	c := &conn{server: s, peer: stream}
	c.in.init(stream, s.options.MaxFrame)
	c.arm()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = struct{}{}
	if s.stop {
		c.state.Store(closing)
		c.hangUp()
	}
	s.served.Go(func() {
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.conns, c)
		}()
		c.serve(events)
	})
}

// dropIdle drops idle instances until the function that it returns is called.
func (s *Server) dropIdle() (stop func()) {
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		ticks := time.NewTicker(max(s.options.IdleInstance/10, time.Millisecond))
		defer ticks.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticks.C:
				if n := s.instances.removeIdle(now().Add(-s.options.IdleInstance)); n > 0 {
					s.log.Info("dropped instances that had no event for long", "instances", n, "after", s.options.IdleInstance)
				}
			}
		}
	})
	return func() { close(done); running.Wait() }
}
