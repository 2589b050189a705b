package console

import (
	"context"
	"iter"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

const (
	// firstPart is how many dead letters are read first, before it is known how
	// large they are; maxPart is the most that are read at once.
	firstPart = 8
	maxPart   = 500
	// partBytes is about how many bytes of event data are held at once.
	partBytes = 8 << 20
)

// parts yields the dead letters that match f, oldest first, after the one with
// that id, up to limit in all (0: all), some at a time. The next part is read
// before one is handed out: whoever gets it may remove all in it, and the place
// to go on from is that of a dead letter which is still there.
func (k *Kept) parts(ctx context.Context, f outbox.Filter, after string, limit int) iter.Seq2[[]*keg.DeadLetter, error] {
	return func(yield func([]*keg.DeadLetter, error) bool) {
		size, left := firstPart, limit
		read := func() ([]*keg.DeadLetter, error) {
			n := size
			if limit > 0 {
				n = min(n, left)
			}
			if n == 0 {
				return nil, nil
			}
			part, err := k.Store.DeadLetters(ctx, f, after, n)
			if len(part) > 0 {
				after, size = part[len(part)-1].ID, nextPart(part)
				left -= len(part)
			}
			return part, err
		}
		part, err := read()
		for len(part) > 0 && err == nil {
			next, failed := read()
			if !yield(part, nil) {
				return
			}
			part, err = next, failed
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// nextPart is how many to read next, where they are as large as those of part:
// as many as make up half of [partBytes], since two parts are held at a time.
func nextPart(part []*keg.DeadLetter) int {
	bytes := 0
	for _, d := range part {
		if d.Event != nil {
			bytes += len(d.Event.Data)
		}
	}
	perLetter := bytes/len(part) + 1<<10 // attributes and headers, and what it takes to hold them
	return max(1, min(maxPart, 4*len(part), partBytes/2/perLetter))
}
