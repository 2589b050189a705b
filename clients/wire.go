package clients

import (
	"context"
	"net"
	"time"
)

// Wire makes a client's connections and can cut them all: sarama takes no
// context, and what waits on a silent broker ends only with its connection. It
// is a dialer of golang.org/x/net/proxy.
type Wire struct {
	ctx    context.Context
	cut    context.CancelFunc
	dialer net.Dialer
}

// NewWire returns a wire that lasts until it is cut.
func NewWire() *Wire {
	ctx, cut := context.WithCancel(context.Background())
	return &Wire{ctx, cut, net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}}
}

// Context ends when the wire is cut.
func (w *Wire) Context() context.Context { return w.ctx }

// Cut closes every connection, and lets none be made again.
func (w *Wire) Cut() { w.cut() }

// Dial connects.
func (w *Wire) Dial(network, address string) (net.Conn, error) {
	c, err := w.dialer.DialContext(w.ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &wireConn{c, context.AfterFunc(w.ctx, func() { _ = c.Close() })}, nil
}

// wireConn is forgotten by its wire when it closes.
type wireConn struct {
	net.Conn
	forget func() bool
}

func (c *wireConn) Close() error {
	c.forget()
	return c.Conn.Close()
}
