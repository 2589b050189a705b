package hub

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
	"github.com/kong/keg/router"
)

// The bounds that hold where [Options] says nothing else. An event is at most
// 1 MiB by default, and mostly about 1 KiB.
const (
	DefaultInFlight      = 10_000
	DefaultInFlightBytes = 256 << 20
)

// Opener opens sinks; package sinks has the one for production.
type Opener interface {
	// Open does not dial.
	Open(*keg.Destination) (keg.Sink, error)
}

// Options say what a hub stands on.
type Options struct {
	// Sinks opens what events are delivered to.
	Sinks Opener
	// Log hears what no sender is told: lost events, dead letters that could not
	// be written, faults. Nil: nobody.
	Log *slog.Logger
	// MaxInFlight bounds the deliveries under way, and MaxInFlightBytes the bytes
	// of their events; 0 means the default.
	MaxInFlight      int
	MaxInFlightBytes int64
	// Store keeps what is owed until it is delivered, and makes
	// [keg.AckStored] the promise of ports that ask for none; nil: nothing is
	// kept. It stays the caller's to close, after the hub.
	Store outbox.Store
	// Watch, if not nil, is told of every attempt.
	Watch Watch
	// Observe, if not nil, is called once for each event after its deliveries
	// have ended, by many goroutines at once. The sender waits for it.
	Observe func(Trace)
}

// Hub routes events and delivers them. It is safe for concurrent use.
type Hub struct {
	sinks     Opener
	log       *slog.Logger
	observer  func(Trace)
	admission admission
	losses    lossLog
	watch     Watch
	stats     counters
	turns     turns

	store      outbox.Store       // nil: nothing is kept
	dispatcher *outbox.Dispatcher // of the store
	refusals   rate.Sometimes     // of the store, as they are logged
	sweeping   sync.WaitGroup     // of plugins' tables that nothing waits for

	node   atomic.Pointer[wiring] // the node's table
	set    atomic.Bool            // the node's table is more than the first, empty one
	scopes scopes

	mu        sync.Mutex // guards what follows, and every change of node
	lanes     map[string]*lane
	ports     map[*Port]struct{}
	wirings   map[*wiring]struct{} // whose sinks are open
	closed    bool
	stopSweep context.CancelFunc // nil: nothing sweeps
}

// New returns a hub whose node has an empty table.
func New(o Options) *Hub {
	h := &Hub{
		sinks: o.Sinks, log: o.Log, observer: o.Observe, store: o.Store,
		lanes: map[string]*lane{}, ports: map[*Port]struct{}{}, wirings: map[*wiring]struct{}{},
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if o.Watch != nil {
		h.watch = fencedWatch{h, o.Watch}
	}
	h.losses = lossLog{h.log, rate.Sometimes{First: 10, Interval: 10 * time.Second}}
	h.admission.maxDeliveries, h.admission.maxBytes = int64(o.MaxInFlight), o.MaxInFlightBytes
	if o.MaxInFlight <= 0 {
		h.admission.maxDeliveries = DefaultInFlight
	}
	if o.MaxInFlightBytes <= 0 {
		h.admission.maxBytes = DefaultInFlightBytes
	}
	empty, _ := h.wire(router.Empty(), "") // has nothing to open
	h.node.Store(empty)
	if h.store != nil {
		h.refusals = rate.Sometimes{First: 1, Interval: 10 * time.Second}
		h.dispatcher = outbox.NewDispatcher(outbox.DispatcherOptions{Store: o.Store, Outlets: h, Log: h.log, Observer: h.dispatchWatch()})
	}
	return h
}

// Start delivers what the store has kept from before, from now on; without a
// store it does nothing. It is called once, after [Hub.SetTable], lest what
// waits finds no destination.
func (h *Hub) Start() {
	if h.dispatcher == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.dispatcher.Start()
	ctx, stop := context.WithCancel(context.Background())
	h.stopSweep = stop
	h.sweeping.Go(func() { h.sweep(ctx) })
}

// SetTable makes table the node's: every port without a table of its own uses
// it from its next event on, and events under way finish on the old one, whose
// sinks close after the last. On an error the old table stays.
func (h *Hub) SetTable(table *router.Table) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return errClosed
	}
	for p := range h.ports {
		if p.own == nil {
			if err := acknowledged(table, p.ack); err != nil {
				return err
			}
		}
	}
	// Opened before the old ones close, so that what both name stays connected.
	next, err := h.wire(table, "")
	if err != nil {
		return err
	}
	h.node.Swap(next).retire()
	h.set.Store(true)
	h.wake()
	return nil
}

// Close shuts every port, waits for what is in flight until ctx ends, and closes
// all sinks. What it had to leave unfinished is in its error; what is stored
// stays so.
func (h *Hub) Close(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	ports := slices.Collect(maps.Keys(h.ports))
	if h.stopSweep != nil {
		h.stopSweep()
	}
	h.mu.Unlock()
	h.sweeping.Wait()

	errs := make([]error, len(ports))
	var all sync.WaitGroup
	for i, p := range ports {
		all.Go(func() { errs[i] = p.Close(ctx) })
	}
	all.Wait()
	if h.dispatcher != nil {
		errs = append(errs, h.dispatcher.Close(ctx))
	}
	h.mu.Lock()
	wirings := slices.Collect(maps.Keys(h.wirings))
	h.mu.Unlock()
	for _, w := range wirings {
		all.Go(func() { within(ctx, w.retire()) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// cutGrace is how long is waited for those that were told to stop, because a
// context has ended, to do so.
const cutGrace = time.Second

// within reports whether done is closed before ctx ends, or soon after.
func within(ctx context.Context, done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-ctx.Done():
	}
	select {
	case <-done:
		return true
	case <-time.After(cutGrace):
		return false
	}
}

var errClosed = errors.New("the hub is closed")
