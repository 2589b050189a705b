package hub

import (
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/kong/keg"
)

// Trace is what became of one event, for whoever watches.
type Trace struct {
	// Event is the event as it was sent on, with no other headers than the
	// forwarded ones.
	Event *keg.Event
	// Receipt has the deliveries under every promise, under [keg.AckNone] too.
	Receipt keg.Receipt
	// Entry is the name of the port.
	Entry string
	Took  time.Duration
}

// Stats are counts since the hub was made, and gauges where noted.
type Stats struct {
	Events       int64 // that came in
	Unmatched    int64 // that no route took
	Refused      int64 // for want of room
	Attempts     int64
	Delivered    int64 // deliveries that ended well
	Failed       int64 // deliveries that did not
	DeadLettered int64
	Lost         int64 // deliveries under [keg.AckNone] that failed and have no dead letter
	Panics       int64

	InFlight, InFlightBytes int64 // gauges: deliveries under way, and their bytes
}

type counters struct {
	events, unmatched, refused, attempts, delivered, failed, deadLettered, lost, panics atomic.Int64
}

// Stats returns the counts. They are read one after the other, so that they
// agree with each other only while nothing is in flight.
func (h *Hub) Stats() Stats {
	return Stats{
		Events: h.stats.events.Load(), Unmatched: h.stats.unmatched.Load(), Refused: h.stats.refused.Load(),
		Attempts: h.stats.attempts.Load(), Delivered: h.stats.delivered.Load(), Failed: h.stats.failed.Load(),
		DeadLettered: h.stats.deadLettered.Load(), Lost: h.stats.lost.Load(), Panics: h.stats.panics.Load(),
		InFlight: h.admission.deliveries.Load(), InFlightBytes: h.admission.bytes.Load(),
	}
}

// observe tells the observer, whose faults are not the event's.
func (h *Hub) observe(t Trace) {
	if h.observer == nil {
		return
	}
	defer h.fence("observer", t.Event.ID)
	h.observer(t)
}

func (h *Hub) panicked(where, id string, fault *PanicError) {
	h.stats.panics.Add(1)
	h.log.Error("a fault of KEG was caught", "where", where, "id", id, "cause", fault.Cause())
}

// lossLog tells of events that nobody will be told of otherwise: the first ten,
// then one every ten seconds, each with the count of all.
type lossLog struct {
	log  *slog.Logger
	some rate.Sometimes
}

func (l *lossLog) lost(e *keg.Event, d keg.Delivery, count int64) {
	l.some.Do(func() {
		l.log.Error("an event was lost, as `ack: none` allows", "id", e.ID, "type", e.Type, "route", d.Route,
			"destination", d.Destination.Name, "attempts", d.Attempts, "error", d.Err, "lost_so_far", count)
	})
}
