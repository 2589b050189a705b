package server

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// conn is one connection of a Kong worker. Kong sends one command at a time
// and keeps the connection for the next.
type conn struct {
	server *Server
	peer   *stream
	in     frames
	out    []byte       // what is to be written
	few    [32]byte     // fits the end of an event
	due    time.Time    // until when the peer is waited for
	state  atomic.Int32 // idle, busy, closing
}

const (
	idle int32 = iota
	busy
	closing
)

// serve blocks until the connection has ended.
func (c *conn) serve(ctx context.Context) {
	defer c.peer.Close()
	defer c.in.putPage()
	for c.command(ctx) && c.toIdle() {
		c.in.rest()
	}
	if c.state.Load() == closing {
		c.hangUp()
		_, _ = io.Copy(io.Discard, c.peer)
	}
}

// toIdle ends a command, and reports whether the connection is wanted any
// longer. From then on stopAccepting may hang up, so the deadline is one that
// was set before.
func (c *conn) toIdle() bool {
	return c.state.CompareAndSwap(busy, idle)
}

// command waits for one command and does it, and reports whether the
// connection is good for another.
func (c *conn) command(ctx context.Context) bool {
	if err := c.in.wait(); err != nil {
		return false // closed by Kong, idle for too long, or the server stops
	}
	if !c.state.CompareAndSwap(idle, busy) {
		return false
	}
	now := c.arm()
	frame, err := c.in.next()
	if err != nil {
		c.server.log.Warn("closed a connection to Kong's plugin socket: no command came", "error", err)
		return false
	}
	command, err := readCommand(frame)
	if err != nil {
		c.server.log.Warn("closed a connection to Kong's plugin socket: what came is no command", "error", err)
		return false
	}
	c.out = c.few[:0]
	if command.kind == handleEvent {
		return c.event(ctx, command, now)
	}
	return c.manage(command)
}

// event runs one phase and answers Kong.
func (c *conn) event(ctx context.Context, command command, now time.Time) bool {
	s := c.server
	in := s.instances.acquire(command.instance)
	if in == nil {
		// Not an error: an idle instance was dropped, or Kong knows the ids of a
		// process before this one. It starts the instance again.
		s.log.Debug("Kong names an instance that is not here: it will start it again", "instance", command.instance)
		return false
	}
	defer s.instances.drop(in)

	call := &Call{conn: c, phase: command.phase}
	call.ctx.begin(ctx, now, s.options.EventTimeout)
	err := s.run(in, call)
	call.end()
	in.lastUse.Store(c.arm().UnixNano())
	return c.conclude(call, in, command.sequence, err)
}

// conclude tells Kong how the phase ended.
func (c *conn) conclude(call *Call, in *instance, sequence int64, err error) bool {
	switch {
	case call.exited:
		if err != nil {
			c.failed(call, in, "the plugin answered and then failed", err)
		}
		c.awaitClose()
		return false
	case call.broken != nil:
		c.failed(call, in, "the connection to Kong broke in the middle of an event; Kong may run it again", errors.Join(err, call.broken))
		return false
	case err == nil && call.owed > 0:
		err = errUnread
	}
	if err != nil {
		c.failed(call, in, "the plugin failed on a request", err)
		if call.owed > 0 {
			return false // nothing that is said now would be understood
		}
		if call.phase.answerable() {
			c.out = appendExit(c.out[:0], 500, problemHeaders, problem(in.plugin.Name))
			if c.send() == nil {
				c.awaitClose()
			}
			return false
		}
	}
	c.out = append(c.out[:0], 0, 0, 0, 0) // the empty method name that ends the event
	c.out = appendReturn(c.out, sequence)
	return c.send() == nil
}

func (c *conn) failed(call *Call, in *instance, what string, err error) {
	c.server.failures.log(c.server.log.With("phase", string(call.phase)), in.plugin.Name, what, err)
}

var errUnread = errors.New("it left a call to Kong unread, and the connection is of no use any more")

var problemHeaders = map[string][]string{"Content-Type": {"application/problem+json"}}

// problem is the body of the 500 that stands for a failed plugin (RFC 9457).
// It does not say what failed: that is in the log.
func problem(plugin string) []byte {
	return []byte(`{"type":"about:blank","title":"Internal Server Error","status":500,"detail":"The plugin ` + plugin + ` failed on this request. Its log says why."}`)
}

// awaitClose waits for the close that follows an exit. Kong closes at the end
// of the request and sends nothing before.
func (c *conn) awaitClose() {
	// The answer is on its way: stopping need not wait for this connection.
	if c.toIdle() {
		var one [1]byte
		_, _ = io.ReadFull(c.peer, one[:])
	}
}

// send writes what is in out.
func (c *conn) send() error {
	_, err := c.peer.Write(c.out)
	return err
}

// arm sees to it that the peer is waited for no longer than PeerTimeout, and
// no less than half of it: moving a deadline costs more than looking at it. It
// returns the time.
func (c *conn) arm() time.Time {
	now := now()
	if c.due.Sub(now) < c.server.options.PeerTimeout/2 {
		c.due = now.Add(c.server.options.PeerTimeout)
		_ = c.peer.SetDeadline(c.due)
	}
	return now
}
