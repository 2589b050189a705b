package sinks

import (
	"context"
	"net"
	"time"
)

// wire makes a client's connections and can cut them all: sarama takes no
// context, and what waits on a silent broker ends only with its connection.
type wire struct {
	ctx    context.Context // ends when the wire is cut
	cut    context.CancelFunc
	dialer net.Dialer
}

func newWire() *wire {
	ctx, cut := context.WithCancel(context.Background())
	return &wire{ctx, cut, net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}}
}

// Dial implements golang.org/x/net/proxy.Dialer.
func (w *wire) Dial(network, address string) (net.Conn, error) {
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
