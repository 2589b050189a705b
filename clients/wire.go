package clients

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Wire makes a client's connections and can cut them all: sarama takes no
// context, and what waits on a silent broker ends only with its connection. It
// is a dialer of golang.org/x/net/proxy.
type Wire struct {
	ctx    context.Context
	cut    context.CancelFunc
	dialer net.Dialer
	open   atomic.Int32 // connections
}

// NewWire returns a wire that lasts until it is cut.
func NewWire() *Wire {
	ctx, cut := context.WithCancel(context.Background())
	return &Wire{ctx: ctx, cut: cut, dialer: net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}}
}

// Context ends when the wire is cut.
func (w *Wire) Context() context.Context { return w.ctx }

// Cut closes every connection, and lets none be made again.
func (w *Wire) Cut() { w.cut() }

// Connected reports whether anything is connected now.
func (w *Wire) Connected() bool { return w.open.Load() > 0 }

// Dial connects.
func (w *Wire) Dial(network, address string) (net.Conn, error) {
	c, err := w.dialer.DialContext(w.ctx, network, address)
	if err != nil {
		return nil, err
	}
	w.open.Add(1)
	closed := sync.OnceFunc(func() { w.open.Add(-1) })
	return &wireConn{c, closed, context.AfterFunc(w.ctx, func() { _ = c.Close() })}, nil
}

// wireConn is forgotten by its wire when it closes.
type wireConn struct {
	net.Conn
	closed func()
	forget func() bool
}

func (c *wireConn) Close() error {
	c.forget()
	c.closed()
	return c.Conn.Close()
}
