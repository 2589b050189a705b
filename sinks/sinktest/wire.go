package sinktest

import (
	"net"
	"sync"
)

// Wire is a listener that stands for the network in front of a server: it can
// be cut, so that nobody gets through, or left hanging, so that connections are
// made and nothing ever answers. The server takes it as its listener.
type Wire struct {
	net.Listener

	mu    sync.Mutex
	state state
	conns map[net.Conn]struct{}
}

type state int

const (
	whole state = iota
	cut
	hanging
)

// NewWire wraps a listener that nobody has accepted from yet.
func NewWire(l net.Listener) *Wire {
	return &Wire{Listener: l, conns: make(map[net.Conn]struct{})}
}

// Listen is a wire on a free port of the loopback interface.
func Listen() (*Wire, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return NewWire(l), nil
}

// Cut breaks every connection, and new ones as soon as they are made.
func (w *Wire) Cut() { w.change(cut) }

// Hang breaks every connection; new ones are made and stay silent.
func (w *Wire) Hang() { w.change(hanging) }

// Mend lets new connections through. Those that were hanging break.
func (w *Wire) Mend() { w.change(whole) }

// change breaks every connection before it returns, also those that a second
// caller has begun to break: a server closes the listener it was given, too.
func (w *Wire) change(to state) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state = to
	for c := range w.conns {
		_ = c.Close()
	}
	clear(w.conns)
}

// Accept returns the next connection that gets through to the server.
func (w *Wire) Accept() (net.Conn, error) {
	for {
		c, err := w.Listener.Accept()
		if err != nil {
			return nil, err
		}
		w.mu.Lock()
		now := w.state
		if now != cut {
			w.conns[c] = struct{}{}
		}
		w.mu.Unlock()
		switch now {
		case whole:
			return &conn{c, w}, nil
		case cut:
			_ = c.Close()
		}
	}
}

// Close ends the listener and everything that hangs on it.
func (w *Wire) Close() error {
	err := w.Listener.Close()
	w.Cut()
	return err
}

// conn leaves the wire's list when it closes.
type conn struct {
	net.Conn
	wire *Wire
}

func (c *conn) Close() error {
	c.wire.mu.Lock()
	delete(c.wire.conns, c.Conn)
	c.wire.mu.Unlock()
	return c.Conn.Close()
}
