package main

import (
	"fmt"
	"slices"
	"sync"
)

// ledger is the truth about a run: what was sent, what was acknowledged, what
// arrived. It notes a fault as soon as one shows. It is safe for concurrent use.
type ledger struct {
	run string

	mu     sync.Mutex
	events []record
	// taken is the last sequence number of each ordered key that its destination
	// has taken, and sent the last that was given out.
	taken, sent map[string]int
	stops       int    // kills and orderly ends so far
	refusal     string // the last
	faults      []string
	faultCounts map[class]int
	figures     figures
}

// record is one event.
type record struct {
	key   string
	seq   int32
	kind  kind
	acked bool
	tries int32 // sent so often; each may be stored
	stops int32 // of the ledger, when it was sent first
	// of each destination: taken so often, and of these so often without telling
	takes, untold [3]int32
}

// figures are counts of a run.
type figures struct {
	Sent, Acknowledged, Retries int // events, and tries beyond the first
	Arrived, Taken, Repeats     int // requests at the receiver; those beyond an event's first at a destination
	Unexplained                 int // repeats that neither a stop, nor a sender's second try, nor the receiver's silence is the reason of
}

func newLedger(run string) *ledger {
	return &ledger{run: run, taken: map[string]int{}, sent: map[string]int{}, faultCounts: map[class]int{}}
}

// class is a kind of fault.
type class string

const (
	lost     class = "lost"
	disorder class = "out of order"
	damaged  class = "damaged" // or nobody's
	repeated class = "repeated"
	other    class = "wrong"
)

// mostFaults is how many faults of a class are told, since one brings others with
// it; all are counted.
const mostFaults = 10

// fault notes one. mu is held.
func (l *ledger) fault(c class, format string, args ...any) {
	if l.faultCounts[c]++; l.faultCounts[c] <= mostFaults {
		l.faults = append(l.faults, string(c)+": "+fmt.Sprintf(format, args...))
	}
}

// note is fault for those who do not hold mu.
func (l *ledger) note(c class, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault(c, format, args...)
}

// next gives out the next event of a key.
func (l *ledger) next(k kind, key, pad string) event {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[key]++
	e := event{Run: l.run, N: len(l.events), Kind: k, Key: key, Seq: l.sent[key], Pad: pad}
	l.events = append(l.events, record{key: key, seq: int32(e.Seq), kind: k, stops: int32(l.stops)})
	l.figures.Sent++
	return e
}

// try notes that an event is sent, for the first time or again.
func (l *ledger) try(e event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.events[e.N].tries++; l.events[e.N].tries > 1 {
		l.figures.Retries++
	}
}

// acknowledge notes that a sender was told that it may forget an event.
func (l *ledger) acknowledge(e event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events[e.N].acked = true
	l.figures.Acknowledged++
}

// refuse notes why an event is still its sender's.
func (l *ledger) refuse(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refusal = why
}

func (l *ledger) lastRefusal() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusal
}

// stopped notes that the node was killed, or ended.
func (l *ledger) stopped() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stops++
}

// arrive notes that an event has come to a destination, before that has made up
// its mind. It reports whether it is one that was sent.
func (l *ledger) arrive(e event, destination int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.figures.Arrived++
	switch {
	case e.Run != l.run:
		l.fault(damaged, "%s: an event of another run (%s) arrived: begin with an empty store", destinations[destination], e.Run)
		return false
	case e.N < 0 || e.N >= len(l.events) || l.events[e.N].key != e.Key || l.events[e.N].seq != int32(e.Seq) || l.events[e.N].kind != e.Kind:
		l.fault(damaged, "%s: event %s (key %s, %d) arrived, and nobody sent it", destinations[destination], e.id(), e.Key, e.Seq)
		return false
	case !slices.Contains(kinds[e.Kind].owed, destination):
		l.fault(damaged, "%s: event %s arrived, which is owed to others", destinations[destination], e.id())
		return false
	}
	// A sender goes on to a key's next event only once it was told that the one
	// before is safe, so the order of the numbers is the order of arrival at KEG.
	// It is kept where no event shows before its predecessor was taken. Repeats
	// after a crash begin further back, and are no disorder.
	if e.Kind == ordered && e.Seq > l.taken[e.Key]+1 {
		l.fault(disorder, "%s: event %d of key %s (%s) came when %d was not yet taken", destinations[destination], e.Seq, e.Key, e.id(), l.taken[e.Key]+1)
	}
	return true
}

// take notes that a destination has taken an event. told is false where the one
// who sent it may not hear of it.
func (l *ledger) take(e event, destination int, told bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &l.events[e.N]
	r.takes[destination]++
	if !told {
		r.untold[destination]++
	}
	l.figures.Taken++
	if r.takes[destination] > 1 {
		l.figures.Repeats++
		// Each try may be stored, Kong tries once more after each stop, and what
		// was stored may be under way at each stop.
		stops := int32(l.stops) - r.stops
		if r.takes[destination] > (r.tries+stops)*(stops+1)+r.untold[destination] {
			l.figures.Unexplained++
		}
	}
	if e.Kind == ordered {
		l.taken[e.Key] = max(l.taken[e.Key], e.Seq)
	}
}

// owed counts the deliveries of acknowledged events that have not arrived.
func (l *ledger) owed() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range l.missing() {
		n++
	}
	return n
}

// missing goes over them, by event and destination. mu is held.
func (l *ledger) missing() func(func(int, int) bool) {
	return func(yield func(int, int) bool) {
		for n := range l.events {
			r := &l.events[n]
			for _, d := range kinds[r.kind].owed {
				if r.acked && r.takes[d] == 0 && !yield(n, d) {
					return
				}
			}
		}
	}
}

// mostUnexplained is the share of repeats without a reason that a slow machine
// may bring: an answer that came when nobody waited for it any more.
const mostUnexplained = 0.01

// close judges the whole run: what is still missing is lost.
func (l *ledger) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n, d := range l.missing() {
		r := &l.events[n]
		l.fault(lost, "%s: event %s (key %s, %d) was acknowledged and never arrived; it was sent %d times, first after stop %d",
			destinations[d], event{Run: l.run, N: n}.id(), r.key, r.seq, r.tries, r.stops)
	}
	if n := l.figures.Unexplained; n > 10 && float64(n) > mostUnexplained*float64(l.figures.Taken) {
		l.fault(repeated, "%d of %d deliveries came again for no reason", n, l.figures.Taken)
	}
}

// sofar returns the counts, the faults that are told, and how many there are.
func (l *ledger) sofar() (f figures, faults []string, count int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.faultCounts {
		count += n
	}
	return l.figures, slices.Clone(l.faults), count
}
