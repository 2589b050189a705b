package attempt

import (
	"fmt"
	"testing"
	"time"

	"github.com/kong/keg"
)

func TestBackoffDoublesUpToItsCap(t *testing.T) {
	tests := []struct {
		retry    keg.Retry
		attempts int
		want     time.Duration
	}{
		{keg.Retry{}, 1, 200 * time.Millisecond},
		{keg.Retry{}, 2, 400 * time.Millisecond},
		{keg.Retry{}, 9, 51200 * time.Millisecond},
		{keg.Retry{}, 10, time.Minute},
		{keg.Retry{}, 1000, time.Minute},
		{keg.Retry{Backoff: time.Second, MaxBackoff: 3 * time.Second}, 2, 2 * time.Second},
		{keg.Retry{Backoff: time.Second, MaxBackoff: 3 * time.Second}, 3, 3 * time.Second},
		{keg.Retry{Backoff: time.Minute, MaxBackoff: time.Second}, 1, time.Second},
		{keg.Retry{Backoff: 1<<62 + 1, MaxBackoff: 1<<63 - 1}, 70, 1<<63 - 1},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%v after %d", test.retry, test.attempts), func(t *testing.T) {
			if got := backoff(test.retry, test.attempts); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

func TestJitterIsFull(t *testing.T) {
	low, high := false, false
	for range 1000 {
		wait := jitter(time.Second)
		if wait < 0 || wait > time.Second {
			t.Fatalf("%v", wait)
		}
		low, high = low || wait < 100*time.Millisecond, high || wait > 900*time.Millisecond
	}
	if !low || !high {
		t.Errorf("a thousand waits of up to 1 s: short ones %v, long ones %v", low, high)
	}
	jitter(1<<63 - 1) // must not overflow
}
