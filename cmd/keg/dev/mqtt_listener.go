package dev

import (
	"log/slog"
	"net"
	"sync"

	"github.com/mochi-mqtt/server/v2/listeners"
)

// MQTTListener feeds a mochi-mqtt server from l, and ends its clients itself:
// the server's own way of ending them takes a read lock twice and hangs for
// ever when a client leaves just then (mochi-mqtt/server issue 488, in 2.7.9).
func MQTTListener(id string, l net.Listener) listeners.Listener {
	return &mqttListener{Listener: l, id: id, open: make(map[net.Conn]struct{})}
}

type mqttListener struct {
	net.Listener
	id  string
	log *slog.Logger

	clients sync.WaitGroup
	mu      sync.Mutex
	closed  bool
	open    map[net.Conn]struct{}
}

func (l *mqttListener) ID() string       { return l.id }
func (l *mqttListener) Address() string  { return l.Addr().String() }
func (l *mqttListener) Protocol() string { return l.Addr().Network() }

func (l *mqttListener) Init(log *slog.Logger) error {
	l.log = log
	return nil
}

// Serve accepts clients until Close.
func (l *mqttListener) Serve(establish listeners.EstablishFn) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		if !l.enter(c) {
			_ = c.Close()
			return
		}
		go func() {
			defer l.leave(c)
			if err := establish(l.id, c); err != nil {
				l.log.Debug("an MQTT client left", "client", c.RemoteAddr(), "error", err)
			}
		}()
	}
}

// Close ends the listener and every client, and waits until the server has
// forgotten them. It does not call the server's own end of clients.
func (l *mqttListener) Close(listeners.CloseFn) {
	_ = l.Listener.Close()
	l.mu.Lock()
	l.closed = true
	for c := range l.open {
		_ = c.Close()
	}
	l.mu.Unlock()
	l.clients.Wait()
}

func (l *mqttListener) enter(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.clients.Add(1)
	l.open[c] = struct{}{}
	return true
}

func (l *mqttListener) leave(c net.Conn) {
	_ = c.Close()
	l.mu.Lock()
	delete(l.open, c)
	l.mu.Unlock()
	l.clients.Done()
}
