package console

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

const (
	maxConnections = 64
	maxHeaderBytes = 16 << 10
	headerTimeout  = 5 * time.Second
	readTimeout    = 10 * time.Second
	// writeTimeout bounds one answer, or one line of a stream.
	writeTimeout = 30 * time.Second
	idleTimeout  = time.Minute
	// stopTimeout is what requests under way get when Run ends.
	stopTimeout = 2 * time.Second
)

// Server is the status listener: /livez, /readyz, /metrics and /deadletters.
type Server struct {
	// Listen is what [ParseListen] returned: host:port.
	Listen  string
	Node    *Node
	Metrics *Metrics // nil: none are shown
	Log     *slog.Logger
	// Ready, where it is set, is called once, when the server listens.
	Ready func(net.Addr)

	readTimeout, writeTimeout time.Duration // in tests
}

// Run listens until ctx ends, and returns when no request is under way any more:
// the store may then be closed. Let ctx end after the node has drained, so that
// /readyz tells of its stopping meanwhile. An address that is in use is an error
// that wraps syscall.EADDRINUSE.
func (s *Server) Run(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("status listener: %w", err)
	}
	address := listener.Addr()
	tcp, ok := address.(*net.TCPAddr)
	g := newGuard(s.handler(ctx), ok && tcp.IP.IsLoopback())
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	server := s.server(requests, g)
	served := make(chan error, 1)
	go func() { served <- server.Serve(netutil.LimitListener(listener, maxConnections)) }()
	if s.Ready != nil {
		s.Ready(address)
	}
	select {
	case err = <-served:
	case <-ctx.Done():
		err = s.shutdown(requests, server)
		<-served
	}
	cut()
	_ = server.Close()
	g.close()
	if err != nil {
		return fmt.Errorf("status listener: %w", err)
	}
	return nil
}

// shutdown waits a little for requests under way. Those that do not end are cut.
func (s *Server) shutdown(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func (s *Server) server(requests context.Context, handler http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           handler,
		BaseContext:       func(net.Listener) context.Context { return requests },
		Protocols:         protocols,
		ReadHeaderTimeout: cmp.Or(s.readTimeout, headerTimeout),
		ReadTimeout:       cmp.Or(s.readTimeout, readTimeout),
		WriteTimeout:      s.timeout(),
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log().Handler(), slog.LevelWarn),
	}
}

// timeout bounds the time that an answer, or a line of one, may take.
func (s *Server) timeout() time.Duration { return cmp.Or(s.writeTimeout, writeTimeout) }

// handler answers until running ends, after which a replay goes no further.
func (s *Server) handler(running context.Context) http.Handler {
	figures := &statistics{store: s.Node.Store}
	mux := http.NewServeMux()
	// A process that drains lives: a probe that failed now would have it killed
	// in the middle. Only /readyz tells of the stop.
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		sendJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		report, status := readiness(r.Context(), s.Node, figures), http.StatusOK
		if !report.Ready {
			status = http.StatusServiceUnavailable
		}
		sendJSON(w, status, report)
	})
	if s.Metrics != nil {
		mux.Handle("GET /metrics", s.Metrics.handler(s.Node, figures, s.log()))
	}
	s.routeDeadLetters(running, mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if _, ok := otherMethods[r.URL.Path]; ok {
			w.Header().Set("Allow", otherMethods[r.URL.Path])
			refuse(w, http.StatusMethodNotAllowed, "use "+otherMethods[r.URL.Path])
			return
		}
		refuse(w, http.StatusNotFound, "there are /livez, /readyz, /metrics and "+deadLettersPath)
	})
	return mux
}

// otherMethods are the paths' own methods, for those who use another.
var otherMethods = map[string]string{
	"/livez": "GET", "/readyz": "GET", "/metrics": "GET",
	deadLettersPath: "GET", replayPath: "POST", dropPath: "POST",
}

func sendJSON(w http.ResponseWriter, status int, value any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)                  // it is read by people, too
	if err := encoder.Encode(value); err != nil { // a value of our own that does not marshal is a fault
		refuse(w, http.StatusInternalServerError, "the answer could not be written")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}

func (s *Server) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}
