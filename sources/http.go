package sources

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sync/semaphore"

	"github.com/kong/keg"
	"github.com/kong/keg/answer"
	"github.com/kong/keg/cloudevents"
)

// HTTP takes events in by HTTP/1 and unencrypted HTTP/2, on a listener of its
// own: POST on any path, one event or a batch in a request, answered as the
// plugin answers. Its zero limits are the defaults named beside them.
type HTTP struct {
	// Listen is the address to listen on, host:port. Without a host it is this
	// machine alone, 127.0.0.1; 0.0.0.0 is everybody.
	Listen string
	Events cloudevents.Options
	Log    *slog.Logger
	// Ready, where it is set, is called once, when the source listens.
	Ready func(net.Addr)

	// Rejected, where it is set, is told what came and is no event.
	Rejected func(error)

	// MaxConnections bounds the connections held at a time; the rest wait in
	// the kernel's queue. 1024.
	MaxConnections int
	// MaxBuffered bounds the bytes of all bodies held at a time; a request
	// beyond it is answered 503. 256 MiB.
	MaxBuffered int64
	// HeaderTimeout, ReadTimeout and IdleTimeout bound the time that a client
	// may take for a request's head, for a whole request, and between two. 5 s,
	// 30 s and 60 s.
	HeaderTimeout, ReadTimeout, IdleTimeout time.Duration
	// DrainTimeout bounds the time that requests under way get when Run ends,
	// before their contexts do. 15 s.
	DrainTimeout time.Duration
}

const (
	// maxHeaderBytes is above the limit of package cloudevents, so that a
	// sender who is a little beyond hears why; net/http itself refuses the rest.
	maxHeaderBytes = 128 << 10
	// writeTimeout bounds the time from a request's head to the end of its
	// answer, so that nobody holds an answer open for ever.
	writeTimeout = 2 * time.Minute
)

// Run listens until ctx ends. Then it takes no new requests, and returns when
// those under way are answered; after DrainTimeout their contexts end.
func (s *HTTP) Run(ctx context.Context, in keg.Intake) error {
	listener, err := s.listen(ctx)
	if err != nil {
		return err
	}
	// Requests outlive ctx, since to drain is to finish them.
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	e := &entry{
		handle: in.Publish, rejected: s.Rejected, events: s.Events, log: s.log(), refusals: answer.NewRefusals(s.log().With("source", "http")),
		buffered: semaphore.NewWeighted(orDefault(s.MaxBuffered, 256<<20)),
	}
	server := s.server(requests, e)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if s.Ready != nil {
		s.Ready(listener.Addr())
	}
	select {
	case err := <-served:
		cut()
		_ = server.Close()
		e.gate.close()
		return fmt.Errorf("http source %s: %w", s.Listen, err)
	case <-ctx.Done():
	}
	drain, done := context.WithTimeout(requests, orDefault(s.DrainTimeout, 15*time.Second))
	defer done()
	if err := server.Shutdown(drain); err != nil {
		s.log().Warn("requests were cut short, because they did not end in time", "source", "http", "listen", s.Listen)
		cut()
		_ = server.Close()
	}
	e.gate.close()
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("http source %s: %w", s.Listen, err)
	}
	return nil
}

// listen binds the address. Without a host that is loopback, not everything.
func (s *HTTP) listen(ctx context.Context) (net.Listener, error) {
	address := s.Listen
	if strings.HasPrefix(address, ":") {
		address = loopback + address
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("http source: %w", err)
	}
	return netutil.LimitListener(listener, orDefault(s.MaxConnections, 1024)), nil
}

func (s *HTTP) server(requests context.Context, e *entry) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           e,
		BaseContext:       func(net.Listener) context.Context { return requests },
		Protocols:         protocols,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 128},
		ReadHeaderTimeout: orDefault(s.HeaderTimeout, 5*time.Second),
		ReadTimeout:       orDefault(s.ReadTimeout, 30*time.Second),
		IdleTimeout:       orDefault(s.IdleTimeout, 60*time.Second),
		WriteTimeout:      writeTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log().Handler(), slog.LevelWarn),
	}
}

func (s *HTTP) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

func orDefault[T int | int64 | time.Duration](value, fallback T) T {
	if value <= 0 {
		return fallback
	}
	return value
}
