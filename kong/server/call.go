package server

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	pdk "github.com/Kong/go-pdk"
)

// Call is Kong's side of one phase of one request: what the plugin may ask and
// tell. It belongs to the goroutine that the phase runs in, and is of no use
// once the phase has returned.
type Call struct {
	conn  *conn
	ctx   eventContext
	phase Phase

	batch   Batch // the first one, made with the call
	batched bool

	exited bool
	over   atomic.Bool
	// owed is how many answers Kong has still to give; the stream is of no use
	// to anyone else until it is zero.
	owed int
	// broken is why the connection is of no use any more.
	broken error
}

// Errors of using a call that has ended.
var (
	ErrExited = errors.New("the request has been answered: nothing more can be asked of Kong")
	ErrOver   = errors.New("the phase has ended: nothing more can be asked of Kong")
)

// Phase returns the phase that is running.
func (c *Call) Phase() Phase { return c.phase }

// Batch begins a batch of calls.
func (c *Call) Batch() *Batch {
	if c.batched {
		return &Batch{call: c}
	}
	c.batched = true
	c.batch.call = c
	return &c.batch
}

// usable reports why nothing can be asked any more.
func (c *Call) usable() error {
	switch {
	case c.over.Load():
		return ErrOver
	case c.exited:
		return ErrExited
	case c.broken != nil:
		return c.broken
	}
	return nil
}

// Exit ends the request with an answer to the client, and is the last thing a
// phase does: Kong answers nothing to it and closes the connection at the end
// of the request. Kong's phases rewrite, access and response allow it. The
// body may be nil, and is not kept.
func (c *Call) Exit(status int, headers map[string][]string, body []byte) error {
	if err := c.usable(); err != nil {
		return err
	}
	if !c.phase.answerable() {
		return fmt.Errorf("kong.response.exit: Kong does not allow it in phase %s", c.phase)
	}
	if status < 100 || status > 599 {
		return fmt.Errorf("kong.response.exit: status %d is not between 100 and 599", status)
	}
	for name, values := range headers {
		if err := checkHeader(name, values); err != nil {
			return fmt.Errorf("kong.response.exit: %w", err)
		}
	}
	c.conn.arm()
	c.conn.out = appendExit(c.conn.out[:0], status, headers, body)
	if err := c.conn.send(); err != nil {
		c.broken = fmt.Errorf("answering through Kong: %w", err)
		return c.broken
	}
	c.exited = true
	return nil
}

// checkHeader refuses what would end a header early or forge another.
func checkHeader(name string, values []string) error {
	if name == "" || strings.ContainsAny(name, "\r\n\x00: ") {
		return fmt.Errorf("%q is no header name", name)
	}
	for _, v := range values {
		if strings.ContainsAny(v, "\r\n\x00") {
			return fmt.Errorf("the value of header %q holds a line break or NUL", name)
		}
	}
	return nil
}

// PDK returns go-pdk's kit over the same connection, for what a [Batch] does
// not offer. Each of its calls is a round trip. Its Response.Exit returns
// io.EOF at once, and is the last call of a phase like [Call.Exit].
func (c *Call) PDK() *pdk.PDK { return pdk.Init(&bridge{call: c}) }

// end makes the call unusable, and releases what waits for its context.
func (c *Call) end() {
	c.over.Store(true)
	c.ctx.end()
}
