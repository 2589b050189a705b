package console

import (
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/hub"
	"github.com/kong/keg/outbox"
)

// ObserveEvent counts an event and the deliveries that were made before its
// answer; it is for [hub.Options].Observe. Those of a stored event are told by
// [Metrics.Settled], attempts by [Metrics.Attempted], and dead letters by
// [Metrics.Died].
func (m *Metrics) ObserveEvent(t hub.Trace) {
	entry := m.entries.of(t.Entry)
	entry.outcomes[eventOutcomeOf(&t.Receipt)].Inc()
	if t.Receipt.Ack != keg.AckNone { // which was answered long before its deliveries ended
		entry.accept.Observe(t.Took.Seconds())
	}
	for i := range t.Receipt.Deliveries {
		d := &t.Receipt.Deliveries[i]
		s := m.destination(d.Destination)
		o := deliveryOutcomeOf(t.Receipt.Ack, d)
		s.outcomes[o].Inc()
		if o == deliveryDelivered {
			s.delivery.Observe(d.Took.Seconds())
		}
	}
}

// Rejected counts what an entry refused before it was an event, or before it
// came to the hub.
func (m *Metrics) Rejected(entry string, err error) {
	m.entries.of(entry).outcomes[eventRefusal(err)].Inc()
}

// Attempted counts one attempt at a destination of that label, of the hub's or
// the dispatcher's. err is what it met, nil where the destination has the event.
// The queue is told for those who tell more of one event; a series for each
// route would be too many.
func (m *Metrics) Attempted(_ outbox.Queue, label string, took time.Duration, err error) {
	s := m.destinations.of(label)
	s.attempts[attemptOutcomeOf(err)].Inc()
	s.attempt.Observe(took.Seconds())
}

// Settled counts how the hold on a stored delivery has ended. age is the time
// since it was accepted; reason is that of a dead letter, which is counted here
// as died, unless it had died before and was owed to a dead-letter destination.
func (m *Metrics) Settled(q outbox.Queue, label string, outcome outbox.Outcome, reason keg.Reason, age time.Duration) {
	switch outcome {
	case outbox.Done:
		s := m.destinations.of(label)
		s.outcomes[deliveryDelivered].Inc()
		s.delivery.Observe(age.Seconds())
	case outbox.Dead:
		m.destinations.of(label).outcomes[deliveryDeadLetter].Inc()
		if !q.DeadLetter {
			m.Died(reason)
		}
	}
}

// Died counts a dead letter that was no stored delivery before: one that was
// abandoned, stored as dead, or sent to a route's dead-letter destination before
// the answer.
func (m *Metrics) Died(reason keg.Reason) {
	if c, ok := m.died[reason]; ok {
		c.Inc()
		return
	}
	m.unknown.Inc()
}

// maxByDestination is when the look-up of destinations begins anew.
const maxByDestination = 10_000

// destination finds a destination's series without making its label, which a
// table's destination keeps as long as it lives.
func (m *Metrics) destination(d *keg.Destination) *destinationSeries {
	if d == nil {
		return m.destinations.of(other)
	}
	if s, ok := m.byDestination.Load(d); ok {
		return s.(*destinationSeries)
	}
	label := d.Name
	if d.Settings != nil {
		label = d.Settings.Label()
	}
	s := m.destinations.of(label)
	if m.byDestinationCount.Add(1) > maxByDestination {
		m.byDestination.Clear()
		m.byDestinationCount.Store(1)
	}
	m.byDestination.Store(d, s)
	return s
}
