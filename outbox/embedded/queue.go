package embedded

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/kong/keg/outbox"
)

const never = math.MaxInt64

// place is a position among the deliveries that wait for a time.
type place struct {
	due int64
	seq uint64
}

func (p place) before(o place) bool { return p.due < o.due || p.due == o.due && p.seq < o.seq }

var nowhere = place{never, math.MaxUint64}

// queue is what is known of a queue without reading it.
type queue struct {
	id   uint32
	name outbox.Queue
	// claiming is held by the one Claim that reads the queue.
	claiming sync.Mutex
	// lowest is where the search for the oldest delivery begins.
	lowest atomic.Uint64

	// The rest is guarded by the store's mutex.

	// waiting counts what is owed; timed counts those with a key that wait for a
	// time. Both are on disk with every change.
	waiting, timed int64
	// next is the position: every delivery before it is held, is in line behind
	// one of its key, waits for a time, or is in ready.
	next uint64
	// unheld is the last sequence that was stored and not held at once.
	unheld uint64
	// ready lists deliveries before next that can be claimed, in order.
	ready []uint64
	// from is where those that wait for a time begin, nextDue when the first of
	// them is due, and inserted the first that was added since a Claim began.
	from, inserted place
	nextDue        int64
	// busy are the keys of which one is held or in ready.
	busy map[digest]*inLine
	// verify is the sequence up to which a row that a Claim meets may have ended
	// since the Claim began: it was held when the store was opened again.
	verify uint64
}

// inLine is the state of a key's line while its head is held or in ready.
type inLine struct {
	head uint64
	// behind tells that there may be more of the key before the queue's position.
	behind bool
}

// rewind forgets all positions, as after a start.
func (q *queue) rewind(last uint64) {
	q.next, q.unheld, q.ready, q.from, q.inserted, q.nextDue = 0, last, nil, place{math.MinInt64, 0}, nowhere, math.MinInt64
	q.busy = map[digest]*inLine{}
	q.lowest.Store(0)
	if q.waiting == 0 {
		q.next, q.nextDue = last+1, never
	}
}

// waits reports whether a Claim would find something, or has yet to look.
func (q *queue) waits(known uint64, now int64) bool {
	return len(q.ready) > 0 || q.next <= min(q.unheld, known) || q.nextDue <= now
}

// idle reports whether nothing waits that could be claimed now or when it is
// safe.
func (q *queue) idle(now int64) bool {
	return len(q.ready) == 0 && q.next > q.unheld && q.nextDue > now
}

// offer puts a delivery that came back, or whose turn it is, before the position.
func (q *queue) offer(seq uint64) {
	at, found := slices.BinarySearch(q.ready, seq)
	if !found {
		q.ready = slices.Insert(q.ready, at, seq)
	}
}

// wait notes one that waits for a time.
func (q *queue) wait(p place) {
	if p.before(q.from) {
		q.from = p
	}
	if p.before(q.inserted) {
		q.inserted = p
	}
	q.nextDue = min(q.nextDue, p.due)
}

// held is a delivery in a dispatcher's hands: its [outbox.Delivery.Handle].
type held struct {
	seq      uint64
	q        *queue
	record   record // what its row says, without the event
	key      digest // of keyed ones
	lost     bool   // its row went when the store was opened again
	settling bool
	delivery *outbox.Delivery
}

// hold notes that a delivery is now held.
func (s *Store) hold(h *held) {
	s.held[h.seq] = h
	if h.record.flags&flagKeyed != 0 {
		if l := h.q.busy[h.key]; l != nil {
			l.head = h.seq
		} else {
			h.q.busy[h.key] = &inLine{head: h.seq}
		}
	}
}

// release ends a hold as if it had never been: the delivery can be claimed at
// once. After the store was opened again it may lie behind the position, which
// will then come to it.
func (s *Store) release(h *held) {
	delete(s.held, h.seq)
	if h.record.flags&flagRewritten == 0 && h.seq >= h.q.next {
		if h.record.flags&flagKeyed != 0 {
			delete(h.q.busy, h.key)
		}
		return
	}
	h.q.offer(h.seq) // its key stays busy
}
