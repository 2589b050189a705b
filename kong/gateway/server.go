package gateway

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// maxHead is the most that a request's head may have; nginx has four buffers of
// 8 KiB.
const maxHead = 32 << 10

// server is an HTTP server with nginx's limits. Its connections are dealt out to
// Kong's workers in turn.
func (g *Gateway) server(handler http.Handler) *http.Server {
	var dealt atomic.Int64
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: g.o.ClientTimeout,
		IdleTimeout:       75 * time.Second,
		MaxHeaderBytes:    maxHead - 4096, // net/http adds 4096
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
		// An Options * request is for Kong to answer.
		DisableGeneralOptionsHandler: true,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			tapped := c.(*conn)
			tapped.worker = int(dealt.Add(1)-1) % g.o.Workers
			g.accept.Add(1)
			return context.WithValue(ctx, connKey{}, tapped)
		},
	}
}

// tapped makes the connections of a listener ones that remember (see wireTap).
type tapped struct{ net.Listener }

func (t tapped) Accept() (net.Conn, error) {
	c, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c}, nil
}
