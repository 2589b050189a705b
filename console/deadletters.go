package console

import (
	"context"

	"github.com/kong/keg/outbox"
)

// DeadLetters is what can be done with the dead letters of a node. All methods
// block until they are done or ctx ends, and may be called by many goroutines at
// once.
type DeadLetters interface {
	// List returns up to limit dead letters that match f, oldest first, which
	// come after the one with the id after. limit is from 1 to [MaxPage]. With
	// data, a page may be shorter.
	List(ctx context.Context, f outbox.Filter, after string, limit int, data bool) (Page, error)
	// Show returns one whole, or [outbox.ErrNotFound].
	Show(ctx context.Context, id string) (*DeadLetter, error)
	// Replay owes dead letters again, and Drop removes them. Both go over those
	// that were there at the call, oldest first, and tell report now and then how
	// far they are. On an error, what the progress counts is done nevertheless.
	Replay(ctx context.Context, s Selection, report func(Progress)) (Progress, error)
	Drop(ctx context.Context, s Selection, report func(Progress)) (Progress, error)
}

const (
	// MaxPage bounds the dead letters of one page.
	MaxPage = 1000
	// MaxIDs bounds the ids of one [Selection].
	MaxIDs = 10_000
)

// Page is a part of a list.
type Page struct {
	DeadLetters []*DeadLetter `json:"dead_letters"`
	// Next is the id to go on after; "" at the end.
	Next string `json:"next,omitempty"`
}

// Selection says which dead letters: those of the ids, or else those that match
// the filter.
type Selection struct {
	IDs    []string
	Filter outbox.Filter
	// Limit bounds how many that match the filter; 0: all.
	Limit int
	// ThroughRoutes has a replay publish the event again by today's routes,
	// instead of owing it to the destination that it was owed to.
	ThroughRoutes bool
}

// Progress is how far a replay or a drop is.
type Progress struct {
	// Total is how many there are to do; -1 where that is not known before.
	Total int64 `json:"total"`
	// Done counts those replayed or dropped. Left counts those that stayed as
	// they were without a fault: not there any more, or, for a replay, never
	// owed to a destination. Failed counts those that today's routes, or the
	// store, would not take.
	Done   int64 `json:"done"`
	Left   int64 `json:"left"`
	Failed int64 `json:"failed"`
	// Failures are the first of those.
	Failures []Failure `json:"failures,omitempty"`
}

// Failure is why one dead letter could not be replayed.
type Failure struct {
	ID    string `json:"id"`
	Error string `json:"error"`
}

// maxFailures bounds the failures that are told one by one.
const maxFailures = 20

func (p *Progress) fail(id string, err error) {
	p.Failed++
	if len(p.Failures) < maxFailures {
		p.Failures = append(p.Failures, Failure{id, err.Error()})
	}
}
