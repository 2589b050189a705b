package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/router"
)

// DefaultTimeout is a port's budget for an event where nothing else is said.
const DefaultTimeout = 10 * time.Second

// PortOptions say what one entry does with the events that come in by it.
type PortOptions struct {
	// Name tells the entry apart in logs and traces: "event-router", "http".
	Name string
	// Table is the port's own; nil means the node's, whichever that is when an
	// event comes.
	Table *router.Table
	// Scope tells the port's own table apart from every other in what is stored,
	// also after a restart: the id of the plugin's instance. Ports with the same
	// scope have the same table, or the later one's.
	Scope string
	// Ack is what the entry promises; "" means stored where the hub has a store,
	// else delivered.
	Ack keg.Ack
	// Dedupe is the window in which an event of the same source and id is stored
	// once; 0: always. It needs [keg.AckStored].
	Dedupe time.Duration
	// Timeout bounds all attempts at one call's events; 0 means 10 s.
	Timeout time.Duration
	// ForwardHeaders names the headers that travel on with the event; routes
	// look at all of them whatever it says.
	ForwardHeaders []string
	// ForwardAll lets every header of an event travel on: the entry has chosen
	// them, and ForwardHeaders is without effect.
	ForwardAll bool
}

// Validate reports every option that is wrong on its own or that this hub cannot
// keep, joined, each of one line that begins with the option's key in
// configurations. What the table asks for, [Hub.Open] judges.
func (h *Hub) Validate(o PortOptions) error {
	o.Ack = cmp.Or(o.Ack, h.defaultAck())
	var ack, timeout, dedupe error
	switch o.Ack {
	case keg.AckDelivered, keg.AckNone:
	case keg.AckStored:
		if h.store == nil {
			ack = errors.New("ack: stored needs persistence, which this node does not have: set KEG_PERSISTENCE_ENABLE=true, or use delivered or none")
		}
	default:
		ack = fmt.Errorf("ack: %q is none of delivered, stored, none", o.Ack)
	}
	if o.Timeout < 0 {
		timeout = fmt.Errorf("timeout: must be longer than 0, not %v", o.Timeout)
	}
	switch {
	case o.Dedupe < 0:
		dedupe = fmt.Errorf("dedupe: must be longer than 0, not %v", o.Dedupe)
	case o.Dedupe > 0 && o.Ack != keg.AckStored:
		dedupe = fmt.Errorf("dedupe: needs `ack: stored`, and this is `ack: %s`: only what is stored can be known again", o.Ack)
	}
	_, headers := parseForward(o.ForwardHeaders)
	return errors.Join(ack, timeout, dedupe, headers)
}

// Port is one entry's way in. It is safe for concurrent use.
type Port struct {
	hub     *Hub
	name    string
	ack     keg.Ack
	timeout time.Duration
	dedupe  time.Duration
	forward forward
	own     *wiring // nil: the node's

	inside gate // events
	// background is the life of deliveries that nobody waits for.
	background context.Context
	cut        context.CancelFunc
}

// Open returns a port, or every reason why it cannot keep what it would
// promise.
func (h *Hub) Open(o PortOptions) (*Port, error) {
	if err := h.Validate(o); err != nil {
		return nil, err
	}
	forward, _ := parseForward(o.ForwardHeaders) // Validate has found no fault
	o.Ack, o.Timeout = cmp.Or(o.Ack, h.defaultAck()), cmp.Or(o.Timeout, DefaultTimeout)
	if o.ForwardAll {
		forward = forwardAll
	}
	p := &Port{hub: h, name: o.Name, ack: o.Ack, timeout: o.Timeout, dedupe: o.Dedupe, forward: forward}

	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, errClosed
	}
	if o.Ack == keg.AckStored && o.Table != nil && o.Scope == "" {
		return nil, errors.New("a table of its own needs a scope, by which what is stored for it is known again")
	}
	table := o.Table
	if table == nil {
		table = h.node.Load().table
	}
	if err := acknowledged(table, o.Ack); err != nil {
		return nil, err
	}
	if o.Table != nil {
		own, err := h.wire(o.Table, o.Scope)
		if err != nil {
			return nil, err
		}
		p.own = own
		h.scopes.put(own)
		defer h.wake()
	}
	p.background, p.cut = context.WithCancel(context.Background())
	h.ports[p] = struct{}{}
	return p, nil
}

// defaultAck is what a port promises that asks for nothing else.
func (h *Hub) defaultAck() keg.Ack {
	if h.store != nil {
		return keg.AckStored
	}
	return keg.AckDelivered
}

// enter returns the wiring that the next event uses, entered; nil where the
// port is shut.
func (p *Port) enter() *wiring {
	if !p.inside.enter() {
		return nil
	}
	for {
		w := p.own
		if w == nil {
			w = p.hub.node.Load()
		}
		if w.enter() {
			return w
		}
		if w == p.own || w == p.hub.node.Load() { // shut for good, not swapped
			p.inside.leave()
			return nil
		}
	}
}

func (p *Port) leave(w *wiring) {
	w.leave()
	p.inside.leave()
}

// Close lets no further event in and waits for those inside. When ctx ends
// first it cuts short the deliveries that nobody waits for, which counts them
// as lost; the others end by their own timeout, and their senders hear how.
// Sinks close after the last event, at once or, then, later.
func (p *Port) Close(ctx context.Context) error {
	empty := p.inside.shut()
	stop := context.AfterFunc(ctx, p.cut)
	defer stop()
	var err error
	if !within(ctx, empty) {
		err = fmt.Errorf("%s: not all that was in flight has ended: %w", p.name, ctx.Err())
	}
	p.cut()
	if p.own != nil && !p.hub.scopes.keep(p.own) {
		within(ctx, p.own.retire())
	}
	p.hub.mu.Lock()
	delete(p.hub.ports, p)
	p.hub.mu.Unlock()
	return err
}
