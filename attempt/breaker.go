package attempt

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/kong/keg"
)

const (
	// silentInARow is how many attempts in a row without a word from the
	// destination open its breaker.
	silentInARow = 3
	// A probe that fails is followed by the next after probeFirst, then twice
	// that, up to probeMost: short enough for what waits to go soon after the
	// destination is back, long enough to cost a dead one nothing.
	probeFirst = 200 * time.Millisecond
	probeMost  = 10 * time.Second
)

// State is a breaker's, spelled as metrics and the console spell it.
type State string

// The states of a breaker.
const (
	Closed   State = "closed"    // attempts are made
	Open     State = "open"      // the destination is away, and none is made before the next probe
	HalfOpen State = "half-open" // a probe is under way
)

// Breaker knows whether a destination is away. An outage is told from an event
// that a destination cannot bear by what is heard: nothing at all, several times
// in a row, is an outage, in which one attempt at a time, a probe, finds out
// whether it is over. Any word of the destination to a probe, also a refusal, ends
// it, and so does a yes to what was under way since before.
//
// The zero Breaker is closed. It is safe for concurrent use, and costs an
// attempt at a destination that is well two atomic loads.
type Breaker struct {
	// Changed, if not nil, is told of each opening and closing: whether it is open
	// now, since when it was or is, and what the last silent attempt met. It must
	// not block, nor call the breaker. It is set before the first use.
	Changed func(open bool, since time.Time, last string)

	troubled atomic.Bool // any field below is not zero

	mu      sync.Mutex
	silent  int       // attempts in a row
	since   time.Time // when it opened; zero while closed
	next    time.Time // the next probe's
	pause   time.Duration
	probing bool
	last    string // what the last silent attempt met
}

// Pass is the leave to make one attempt; [Breaker.Leave] takes it back.
type Pass struct{ probe bool }

// Enter reports whether an attempt may be made now, and if not, how long it is
// until one may be asked for again.
func (b *Breaker) Enter() (p Pass, ok bool, wait time.Duration) {
	if !b.troubled.Load() {
		return Pass{}, true, 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.since.IsZero():
		return Pass{}, true, 0
	case b.probing:
		return Pass{}, false, max(b.pause, probeFirst)
	}
	if wait := time.Until(b.next); wait > 0 {
		return Pass{}, false, wait
	}
	b.probing = true
	return Pass{probe: true}, true, 0
}

// Result is what an attempt told of its destination.
type Result int

// The results of an attempt, as a breaker sees them.
const (
	// Heard: the destination answered, well or not.
	Heard Result = iota
	// Silent: it could not be reached, or said nothing in all the time it had.
	Silent
	// Cut: the attempt was ended before it could tell.
	Cut
)

// Judge is the result of an attempt that met err, in the time that the
// destination may take.
func Judge(err error, took, limit time.Duration) Result {
	switch {
	case err == nil:
		return Heard
	case keg.IsUnreachable(err):
		return Silent
	case isTimeout(err):
		if limit > 0 && took >= limit-limit/10 {
			return Silent
		}
		return Cut
	case isCanceled(err):
		return Cut
	}
	return Heard
}

// Leave takes the result of the attempt that p allowed, and reports whether the
// breaker is open after it.
func (b *Breaker) Leave(p Pass, r Result, err error) (open bool) {
	if r == Heard && !b.troubled.Load() {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.probe {
		b.probing = false
	}
	if r == Heard && err != nil && !p.probe && !b.since.IsZero() {
		// What was under way when it opened fails late, and as often as not by the
		// outage itself: a connection that ends in the middle is no word.
		return true
	}
	switch r {
	case Heard:
		if !b.since.IsZero() {
			b.tell(false)
		}
		b.silent, b.since, b.next, b.pause, b.last = 0, time.Time{}, time.Time{}, 0, ""
		b.troubled.Store(b.probing)
		return false
	case Cut:
		return !b.since.IsZero()
	}
	b.troubled.Store(true)
	b.silent++
	b.last = err.Error()
	now := time.Now()
	switch {
	case p.probe && !b.since.IsZero(): // another attempt may have closed it
		b.pause = min(2*b.pause, probeMost)
	case b.since.IsZero() && b.silent >= silentInARow:
		b.since, b.pause = now, probeFirst
		b.tell(true)
	default: // one that was under way when it opened
		return !b.since.IsZero()
	}
	b.next = now.Add(b.pause)
	return true
}

// tell passes on what has changed. b.mu is held.
func (b *Breaker) tell(open bool) {
	if b.Changed != nil {
		b.Changed(open, b.since, b.last)
	}
}

// Status is what a breaker tells of its destination.
type Status struct {
	State State
	// Since is when it opened, and Next when the next probe may go; zero while
	// closed.
	Since, Next time.Time
	// Error is what the last attempt met that heard nothing; "" while all is well.
	Error string
}

// Status returns the breaker's state.
func (b *Breaker) Status() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := Status{State: Closed, Since: b.since, Next: b.next, Error: b.last}
	switch {
	case b.since.IsZero():
	case b.probing:
		s.State = HalfOpen
	default:
		s.State = Open
	}
	return s
}
