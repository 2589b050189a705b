package hub

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
	"github.com/kong/keg/router"
)

// wiring is a route table with every destination's sink open. Events are inside
// its gate, so that sinks close after the last event that knew the table.
type wiring struct {
	gate
	hub       *Hub
	scope     string
	table     *router.Table
	paths     map[*router.Route]*path
	unmatched path
	reject    bool
	// byQueue finds the outlet that what is stored is owed to.
	byQueue map[outbox.Queue]*outlet
	ordered bool // some route is
	schemas bool // some route has one

	outlets []*outlet // all of them, dead-letter destinations too
	retire  func() <-chan struct{}
}

// path is where one route's events go. What it holds is shared by all events,
// and never changed.
type path struct {
	routes     []string // the route's name alone
	legs       []leg
	deadLetter *outlet // nil where the route has none
}

// wire opens a sink for each destination of table. It opens all or none, and
// reports every destination that cannot be opened. h.mu is held.
func (h *Hub) wire(table *router.Table, scope string) (*wiring, error) {
	w := &wiring{hub: h, scope: scope, table: table,
		paths: make(map[*router.Route]*path, len(table.Routes())), byQueue: make(map[outbox.Queue]*outlet, len(table.Routes()))}
	var errs []error
	open := func(route string, d *keg.Destination, deadLetter bool) *outlet {
		sink, err := h.sinks.Open(d)
		if err != nil {
			for _, err := range keg.Problems(err) {
				errs = append(errs, fmt.Errorf("%s: %w", place(route, d), err))
			}
			return &outlet{}
		}
		o := &outlet{
			queue: outbox.Queue{Scope: scope, Route: route, Destination: d.Name, DeadLetter: deadLetter},
			route: route, destination: d, sink: sink, lane: h.lane(d), wiring: w, watch: h.watch,
		}
		w.outlets = append(w.outlets, o)
		w.byQueue[o.queue] = o
		return o
	}
	for _, r := range table.Routes() {
		if !r.Enabled {
			continue
		}
		p := &path{routes: []string{r.Name}}
		var dead *outlet
		if r.DeadLetter != nil {
			dead = open(r.Name, r.DeadLetter, true)
		}
		for _, d := range r.Destinations {
			o := open(r.Name, d, false)
			o.deadLetter, o.ordered = dead, r.Ordered
			p.legs = append(p.legs, leg{outlet: o})
		}
		p.deadLetter = dead
		w.paths[r] = p
		w.schemas = w.schemas || r.Schema != nil
		w.ordered = w.ordered || r.Ordered
	}
	unmatched := table.Unmatched()
	w.reject = unmatched.Reject
	for _, d := range unmatched.Destinations {
		w.unmatched.legs = append(w.unmatched.legs, leg{outlet: open("", d, false)})
	}
	w.retire = sync.OnceValue(func() <-chan struct{} { return h.retire(w) })
	h.wirings[w] = struct{}{}
	if len(errs) > 0 {
		w.retire()
		return nil, errors.Join(errs...)
	}
	return w, nil
}

// owed returns the names of the routes that take e, and the ways it is to go; or
// a [*keg.SchemaError] where a route refuses it for its data. Stripped is e as it
// travels on, and stored tells that what is owed is stored.
func (w *wiring) owed(e, stripped *keg.Event, stored bool) ([]string, []leg, error) {
	var room [8]*router.Route
	routes := w.table.Match(e, room[:0])
	if w.schemas {
		if broken := router.Violations(e, routes); broken != nil {
			return w.owedBroken(stripped, stored, routes, broken)
		}
	}
	switch len(routes) {
	case 0:
		return nil, w.unmatched.legs, nil
	case 1:
		p := w.paths[routes[0]]
		return p.routes, p.legs, nil
	}
	names := make([]string, 0, len(routes))
	var legs []leg
	for _, r := range routes {
		names = append(names, r.Name)
		legs = append(legs, w.paths[r].legs...)
	}
	return names, legs, nil
}

// retire lets no further event in, closes the sinks after the last one, and
// closes the channel that it returns after that.
func (h *Hub) retire(w *wiring) <-chan struct{} {
	closed := make(chan struct{})
	empty := w.shut()
	go func() {
		defer close(closed)
		<-empty
		for _, o := range w.outlets {
			if err := o.sink.Close(); err != nil {
				h.log.Warn("a destination did not close well", "route", o.route, "destination", o.destination.Name, "error", err)
			}
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.wirings, w)
		for _, o := range w.outlets {
			h.leaveLane(o)
		}
	}()
	return closed
}

// lane returns what is in flight to d, as every route that names d sees it. A
// destination that has said it is gone is tried again when a table names it
// anew. h.mu is held.
func (h *Hub) lane(d *keg.Destination) *lane {
	label := d.Settings.Label()
	l := h.lanes[label]
	if l == nil {
		l = &lane{label: label}
		l.breaker.Changed = func(open bool, since time.Time, last string) { h.tellAway(label, open, since, last) }
		h.lanes[label] = l
	}
	l.users++
	l.gone.Store(false)
	return l
}

// tellAway logs that a destination has gone away, or come back.
func (h *Hub) tellAway(label string, away bool, since time.Time, last string) {
	if away {
		h.log.Warn("a destination is away; what is stored for it waits, and others hear 503", "destination", label, "error", outbox.OneLine(last))
		return
	}
	h.log.Info("a destination is back", "destination", label, "away", time.Since(since).Round(time.Millisecond))
}

func (h *Hub) leaveLane(o *outlet) {
	if o.lane.users--; o.lane.users == 0 {
		delete(h.lanes, o.lane.label)
	}
}

// acknowledged refuses a table with destinations that cannot keep what an entry
// promises. A dead letter that nobody acknowledges would be such a promise too.
func acknowledged(table *router.Table, ack keg.Ack) error {
	if ack == keg.AckNone {
		return nil
	}
	var errs []error
	check := func(route string, d *keg.Destination) {
		if d != nil && !d.Settings.Acknowledges() {
			errs = append(errs, fmt.Errorf("%s: it does not acknowledge what it takes, so `ack: %s` cannot be kept; "+
				"let it acknowledge (Kafka: acks all or leader; MQTT: qos 1 or 2), or use `ack: none`", place(route, d), ack))
		}
	}
	for _, r := range table.Routes() {
		if !r.Enabled {
			continue
		}
		for _, d := range r.Destinations {
			check(r.Name, d)
		}
		check(r.Name, r.DeadLetter)
	}
	for _, d := range table.Unmatched().Destinations {
		check("", d)
	}
	return errors.Join(errs...)
}

// place names a destination of a table for whoever wrote it.
func place(route string, d *keg.Destination) string {
	if route == "" {
		return fmt.Sprintf("unmatched: destination %q", d.Name)
	}
	return fmt.Sprintf("route %q: destination %q", route, d.Name)
}
