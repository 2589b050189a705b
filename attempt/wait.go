package attempt

import (
	"math/rand/v2"
	"time"

	"github.com/kong/keg"
)

const (
	// firstBackoff and maxBackoff hold where a destination says nothing else.
	firstBackoff = 200 * time.Millisecond
	maxBackoff   = time.Minute
	// MaxRetryAfter is how long a destination's Retry-After is obeyed.
	MaxRetryAfter = 5 * time.Minute
)

// Wait picks how long to wait after so many attempts, of which the last met err:
// a fully jittered exponential time, or longer where the destination asks to be
// left alone.
func Wait(retry keg.Retry, attempts int, err error) time.Duration {
	wait := jitter(backoff(retry, attempts))
	if asked, ok := keg.RetryDelay(err); ok {
		wait = max(wait, min(asked, MaxRetryAfter))
	}
	return wait
}

// backoff is the longest wait after so many failed attempts.
func backoff(retry keg.Retry, attempts int) time.Duration {
	first, most := retry.Backoff, retry.MaxBackoff
	if first <= 0 {
		first = firstBackoff
	}
	if most <= 0 {
		most = maxBackoff
	}
	for range attempts - 1 {
		if first >= most-first { // doubled, it would reach the cap
			return most
		}
		first *= 2
	}
	return min(first, most)
}

// jitter picks a wait of up to longest (full jitter), so that many deliveries
// that failed together do not come back together.
func jitter(longest time.Duration) time.Duration {
	return rand.N(max(longest, 1))
}
