package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/kong/keg"
)

// Store keeps events and the deliveries owed of them, durably. All methods may
// be called by many goroutines at once, and block until they are done or ctx
// ends. A store that cannot do its work now (disk full, database away) says so
// with an [*UnavailableError], gets well by itself, and has then lost nothing
// that it had acknowledged.
//
// A delivery is held by one dispatcher at a time: from the Put or Claim that
// handed it out to the Settle that ends it, or until that dispatcher's process
// has ended. What is held is handed to nobody else, on this node or another.
type Store interface {
	// Put stores entries in their order, all of them or none, and returns nil
	// only when they would outlive a power failure. It fills in each entry's
	// Duplicate and each [Owed].Held. It keeps nothing of the entries' events.
	// After an error nothing of them is stored; only where the store cannot know
	// (a connection cut while it committed, ctx's end) they may be, in which
	// case no delivery of them is held by the caller and a second Put stores
	// them a second time, under the events' same ids.
	Put(ctx context.Context, entries ...*Entry) error

	// Ready returns the queues in which a Claim would find something now, and
	// when to ask again at the latest though nothing has changed.
	Ready(ctx context.Context) (queues []Queue, again time.Time, err error)

	// Changed returns a channel that receives after Ready may have got more to
	// tell: a Put left something unheld, a Settle made something due or let a
	// key's next one pass. Signals are coalesced; there is one listener.
	Changed() <-chan struct{}

	// Claim hands out up to n deliveries of a queue that are due and not held,
	// the oldest first, and stops after the one that brings the sum of their
	// events' data to maxBytes. Of deliveries that share a key it hands out the
	// oldest alone, and not while one before it is held or waits.
	Claim(ctx context.Context, q Queue, n int, maxBytes int64) ([]*Delivery, error)

	// Settle ends the hold on deliveries, all in one step. It need not be
	// durable when it returns: what a crash undoes is delivered again.
	Settle(ctx context.Context, settlements ...*Settlement) error

	// DeadLetters returns up to limit dead letters that match f, oldest first,
	// which come after the one with the id after ("" for the first).
	DeadLetters(ctx context.Context, f Filter, after string, limit int) ([]*keg.DeadLetter, error)
	// DeadLetter returns one, or [ErrNotFound].
	DeadLetter(ctx context.Context, id string) (*keg.DeadLetter, error)
	// Replay owes dead letters to their destinations again, with no attempts
	// spent and their age begun anew, and returns how many there were. Those
	// that were never owed to a destination it leaves as they are.
	Replay(ctx context.Context, ids ...string) (int, error)
	// Drop removes dead letters for good and returns how many there were.
	Drop(ctx context.Context, ids ...string) (int, error)

	// Stats counts what the store holds. It does not read the backlog.
	Stats(ctx context.Context) (Stats, error)
	// Check returns nil while the store takes events, else why not, in words
	// without secrets. It answers at once.
	Check() error
	// Close gives back what is held and ends background work. It is called once,
	// after every other method has returned.
	Close() error
}

// Queue names what deliveries are owed to: a destination of a route of one
// table. It is comparable.
type Queue struct {
	// Scope is whose table: "" for the node's, else a plugin instance's id.
	Scope string
	// Route is the route's name; "" for destinations of `unmatched`.
	Route string
	// Destination is the destination's name, unique in its route.
	Destination string
	// DeadLetter marks the route's dead-letter destination.
	DeadLetter bool
}

// Entry is one event, to be stored with what is owed of it.
type Entry struct {
	Event *keg.Event
	Owed  []*Owed
	// Dedupe is the window in which an event of the same source and id is a
	// duplicate, counted from when it was stored; 0: every event is stored.
	Dedupe time.Duration
	// Beside makes the entry a part of the one before it in the Put: it is a
	// duplicate where that is, whatever its own Dedupe says. What goes its own way
	// because of an event is beside it.
	Beside bool
	// Replaces is the id of a dead letter that goes in the same step; "" for none.
	Replaces string

	// Duplicate is set by Put: the event was there already, and nothing of this
	// entry was stored. Two of one Put count, too. It is told only when the first
	// one is safe.
	Duplicate bool
}

// Owed is one delivery of an entry.
type Owed struct {
	Queue Queue
	// Key orders: deliveries of one queue with the same key are handed out in
	// the order in which they were stored, one at a time. "" has no order.
	Key string
	// Hold asks for the delivery to be held by the caller at once, for which it
	// has made room.
	Hold bool
	// Dead, if not nil, makes it a dead letter from the start. Its Event is the
	// entry's; Route and Destination are the queue's.
	Dead *keg.DeadLetter

	// Held is set by Put: the delivery, now held, where that was asked for and
	// nothing that comes before it waits in the store; else nil.
	Held *Delivery
}

// Delivery is one event owed to one destination, held.
type Delivery struct {
	// ID names it in the store, in printable ASCII.
	ID    string
	Queue Queue
	Key   string
	// Event is shared by deliveries, and never changed.
	Event *keg.Event
	// Accepted is when the event was stored, or the dead letter replayed.
	Accepted time.Time
	// Attempts counts those that were spent; First and Last are when the first
	// and last began, zero without one. LastError is what the last met, Status
	// its HTTP status or 0.
	Attempts    int
	First, Last time.Time
	LastError   string
	Status      int

	// Handle is the store's own, and nobody else's.
	Handle any
}

// Outcome is how a hold ends.
type Outcome int

// The outcomes of a hold.
const (
	// Done: the destination has the event; the delivery goes, and the event with
	// its last one.
	Done Outcome = iota
	// Again: not before Settlement.At.
	Again
	// Return: unspent and due at once, for any dispatcher.
	Return
	// Dead: given up; it becomes a dead letter.
	Dead
)

// Settlement says how the hold on one delivery ends. Attempts, First, Last,
// LastError and Status of the delivery are stored as they are then.
type Settlement struct {
	Delivery *Delivery
	Outcome  Outcome
	// At is when an Again is due.
	At time.Time
	// Reason is a dead letter's.
	Reason keg.Reason
	// Then, if not nil, is stored in the same step: what is owed to the route's
	// dead-letter destination. Its Owed are not held.
	Then *Entry
}

// Filter selects dead letters; its zero fields select all.
type Filter struct {
	Route, Destination string
	Reason             keg.Reason
	// Since and Until bound when the delivery was given up: Since included,
	// Until excluded.
	Since, Until time.Time
}

// Stats are what a store holds. Counts may be approximate for the first seconds
// after a start, in which the backlog is counted.
type Stats struct {
	Queues []QueueStats
	// Dead counts dead letters by reason.
	Dead map[keg.Reason]int64
	// Bytes is what the store takes on disk, 0 where it cannot tell.
	Bytes int64
	// CutTails counts what recovery found damaged and cut or set aside.
	CutTails int64
}

// QueueStats are a queue's.
type QueueStats struct {
	Queue Queue
	// Waiting counts the deliveries that are owed, held ones included.
	Waiting int64
	// Oldest is when the oldest of them was accepted; zero where none waits.
	Oldest time.Time
}

// UnavailableError: the store cannot do its work now. Its text holds no secret.
type UnavailableError struct {
	Problem string // "the disk is full"
	Err     error  // the cause, for the log
}

func (e *UnavailableError) Error() string {
	if e.Err == nil {
		return e.Problem
	}
	return e.Problem + ": " + e.Err.Error()
}
func (e *UnavailableError) Unwrap() error { return e.Err }

// ErrNotFound: there is no dead letter of that id.
var ErrNotFound = errors.New("there is no dead letter of that id")
