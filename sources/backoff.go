package sources

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is how long to wait before the next attempt: it doubles from first to
// most, half of it by chance.
type backoff struct{ first, most, next time.Duration }

// wait sleeps, for at least a given time below most, and reports whether ctx
// still goes on.
func (b *backoff) wait(ctx context.Context, least time.Duration) bool {
	b.next = min(max(b.next, b.first), b.most)
	pause := b.next/2 + rand.N(b.next/2+1)
	b.next *= 2
	timer := time.NewTimer(max(pause, min(least, b.most)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (b *backoff) reset() { b.next = 0 }
