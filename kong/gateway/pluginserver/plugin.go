package pluginserver

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// MaxRuns bounds how often one event is run when the plugin closes the
// connection each time. Kong has no bound.
const MaxRuns = 100

// Entity is one applied plugin configuration.
type Entity struct {
	ID     string
	Seq    int
	Config []byte // the JSON that the plugin gets
}

// Caller answers the PDK calls of one event.
type Caller interface {
	// Call runs one PDK method and returns its result's protobuf. An error
	// ends the event: [ErrExit] without a complaint, all others as a failure.
	Call(method string, argument []byte) ([]byte, error)
	// Keep takes a connection whose event was abandoned; it is to be closed when
	// the request is over.
	Keep(io.Closer)
}

// ErrExit is returned by Call where the method ended the event.
var ErrExit = errors.New("the event ended with kong.response.exit")

// Timeouts are those of a plugin's socket.
type Timeouts struct {
	Connect, Send, Read time.Duration
}

// KongTimeouts are nginx's lua_socket_*_timeout, as Kong leaves them.
var KongTimeouts = Timeouts{Connect: 60 * time.Second, Send: 60 * time.Second, Read: 60 * time.Second}

// Plugin is one plugin that a plugin server has, with its instances in every
// worker. Its methods may be called by many goroutines at once.
type Plugin struct {
	name    string
	workers []*worker
	log     *slog.Logger
}

// Sockets holds each worker's connections to each socket; plugins that share a
// socket share them.
type Sockets struct {
	timeouts Timeouts
	idle     time.Duration

	mu    sync.Mutex
	pools map[string][]*pool // by path, then worker
}

// NewSockets opens nothing yet.
func NewSockets(timeouts Timeouts) *Sockets {
	return &Sockets{timeouts: timeouts, idle: poolIdle, pools: map[string][]*pool{}}
}

// Close closes all idle connections; those in use are closed after their call.
func (s *Sockets) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pools := range s.pools {
		for _, p := range pools {
			p.close()
		}
	}
}

func (s *Sockets) pool(path string, worker int) *pool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.pools[path]) <= worker {
		s.pools[path] = append(s.pools[path], &pool{path: path, idle: s.idle})
	}
	return s.pools[path][worker]
}

// NewPlugin returns the plugin of that name behind a socket, for so many workers.
func NewPlugin(name, socket string, workers int, sockets *Sockets, log *slog.Logger) *Plugin {
	p := &Plugin{name: name, log: log}
	for i := range workers {
		p.workers = append(p.workers, &worker{
			plugin: name, pool: sockets.pool(socket, i), timeouts: sockets.timeouts,
			sequence: 1, instances: map[string]*instance{},
		})
	}
	return p
}

// Handle runs one phase of one event in a worker: it starts the entity's
// instance if it must, then answers PDK calls in order until the plugin is
// done. A nil error means done, or ended by ErrExit. Any other error is what
// Kong answers with 500.
func (p *Plugin) Handle(ctx context.Context, workerID int, e Entity, phase string, caller Caller) error {
	w := p.workers[workerID]
	var err error
	for range MaxRuns {
		var id int32
		if id, err = w.instanceFor(ctx, e); err != nil {
			return &Failure{Plugin: p.name, Doing: "starting an instance", err: err}
		}
		if err = w.event(ctx, id, phase, caller); err == nil || errors.Is(err, ErrExit) {
			return nil
		}
		if !repeats(err) {
			return &Failure{Plugin: p.name, Doing: "in " + phase, err: err}
		}
		p.log.Warn("the plugin closed the connection: its instances are started again", "plugin", p.name, "phase", phase, "error", err)
		p.forget()
		if ctx.Err() != nil {
			break
		}
	}
	return &Failure{Plugin: p.name, Doing: "running the same event again and again", err: err}
}

// repeats is Kong's rule: the text of the error decides, but for errors that
// Kong raises instead of returning them.
func repeats(err error) bool {
	var sent sendError
	var called callError
	if errors.As(err, &sent) || errors.As(err, &called) {
		return false
	}
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "no plugin instance") || strings.Contains(text, "closed")
}

// forget drops the plugin's instances in all workers, without closing them.
func (p *Plugin) forget() {
	for _, w := range p.workers {
		w.forget()
	}
}

// Failure is a plugin server that did not do its part.
type Failure struct {
	Plugin, Doing string
	err           error
}

func (f *Failure) Error() string { return "plugin " + f.Plugin + ", " + f.Doing + ": " + f.err.Error() }
func (f *Failure) Unwrap() error { return f.err }
