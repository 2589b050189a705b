package console

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// ErrNoNode: dead letters go through the routes of a running node only.
var ErrNoNode = errors.New("to go through today's routes a dead letter needs a running node, which has them")

// Kept are the dead letters of a store that is open in this process.
type Kept struct {
	Store outbox.Store
	// Republish is [Node.Republish]; nil where no node runs.
	Republish func(context.Context, *keg.DeadLetter) error
}

var _ DeadLetters = (*Kept)(nil)

// List is of [DeadLetters].
func (k *Kept) List(ctx context.Context, f outbox.Filter, after string, limit int, data bool) (Page, error) {
	page := Page{DeadLetters: []*DeadLetter{}} // [] and not null
	shownBytes := 0
	for part, err := range k.parts(ctx, f, after, limit) {
		if err != nil {
			return page, err
		}
		for _, d := range part {
			letter := shown(d, data)
			page.DeadLetters = append(page.DeadLetters, letter)
			if data {
				shownBytes += letter.DataBytes
			}
			if len(page.DeadLetters) == limit || shownBytes > partBytes {
				page.Next = d.ID
				return page, nil
			}
		}
	}
	return page, nil
}

// Show is of [DeadLetters].
func (k *Kept) Show(ctx context.Context, id string) (*DeadLetter, error) {
	d, err := k.Store.DeadLetter(ctx, id)
	if err != nil {
		return nil, err
	}
	return shown(d, true), nil
}

// Replay is of [DeadLetters].
func (k *Kept) Replay(ctx context.Context, s Selection, report func(Progress)) (Progress, error) {
	if s.ThroughRoutes {
		if k.Republish == nil {
			return Progress{}, ErrNoNode
		}
		return k.throughRoutes(ctx, s, report)
	}
	return k.each(ctx, s, report, k.Store.Replay)
}

// Drop is of [DeadLetters].
func (k *Kept) Drop(ctx context.Context, s Selection, report func(Progress)) (Progress, error) {
	return k.each(ctx, s, report, k.Store.Drop)
}

// each does what the store can do for many at once.
func (k *Kept) each(ctx context.Context, s Selection, report func(Progress), do func(context.Context, ...string) (int, error)) (Progress, error) {
	p := Progress{Total: k.total(ctx, s)}
	report(p)
	for ids, err := range k.ids(ctx, s) {
		if err != nil {
			return p, err
		}
		n, err := do(ctx, ids...)
		p.Done += int64(n)
		if err != nil {
			return p, err
		}
		p.Left += int64(len(ids) - n)
		report(p)
	}
	return p, nil
}

// ids are the selected ones, some at a time.
func (k *Kept) ids(ctx context.Context, s Selection) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		if len(s.IDs) > 0 {
			for ids := range slices.Chunk(unique(s.IDs), maxPart) {
				if !yield(ids, nil) {
					return
				}
			}
			return
		}
		for part, err := range k.parts(ctx, now(s.Filter), "", s.Limit) {
			ids := make([]string, len(part))
			for i, d := range part {
				ids[i] = d.ID
			}
			if !yield(ids, err) {
				return
			}
		}
	}
}

func unique(ids []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(ids)))
}

// now leaves out what dies later, so that a dead letter which is replayed and
// dies again is not replayed again without end.
func now(f outbox.Filter) outbox.Filter {
	if now := time.Now(); f.Until.IsZero() || f.Until.After(now) {
		f.Until = now
	}
	return f
}

// total is how many dead letters are selected, where that can be told without
// reading them; else -1.
func (k *Kept) total(ctx context.Context, s Selection) int64 {
	if len(s.IDs) > 0 {
		return int64(len(unique(s.IDs)))
	}
	if f := s.Filter; f != (outbox.Filter{Reason: f.Reason}) {
		return -1
	}
	stats, err := k.Store.Stats(ctx)
	if err != nil {
		return -1
	}
	var total int64
	for reason, n := range stats.Dead {
		if reason == cmp.Or(s.Filter.Reason, reason) {
			total += n
		}
	}
	if s.Limit > 0 {
		total = min(total, int64(s.Limit))
	}
	return total
}
