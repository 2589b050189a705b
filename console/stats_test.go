package console

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kong/keg/outbox"
)

func TestAStoreIsCountedOnceASecondHoweverManyAsk(t *testing.T) {
	counted := &counting{memory: filled(t, 0)}
	address, _ := start(t, &Server{Node: &Node{Store: counted}, Metrics: NewMetrics("1")})
	began := time.Now()
	for range 20 {
		ask(t, "GET", "http://"+address+"/readyz", "")
		ask(t, "GET", "http://"+address+"/metrics", "")
	}
	if n, most := counted.times.Load(), int64(time.Since(began)/statsAge)+1; n > most {
		t.Errorf("counted %d times in %v", n, time.Since(began))
	}
}

// TestFiguresTellWhenTheyWereCounted: whoever waits for an empty store must know
// whether "nothing waits" was said before or after the last event.
func TestFiguresTellWhenTheyWereCounted(t *testing.T) {
	counted := &counting{memory: filled(t, 0)}
	address, _ := start(t, &Server{Node: &Node{Store: counted}})
	for _, wait := range []time.Duration{0, 0, statsAge + 50*time.Millisecond} {
		time.Sleep(wait)
		before := counted.at()
		var said Readiness
		if err := json.Unmarshal([]byte(ask(t, "GET", "http://"+address+"/readyz", "").body), &said); err != nil {
			t.Fatal(err)
		}
		at := counted.at()
		again := !at.Equal(before)
		if wait > statsAge && !again {
			t.Fatalf("after %v it has not counted again", wait)
		}
		if got := said.Store.Counted; got.After(at) || at.Sub(got) > statsAge || again && !got.After(before) {
			t.Errorf("after %v: it says %v; it was counted at %v, and before at %v", wait, got, at, before)
		}
	}
}

type counting struct {
	*memory
	times atomic.Int64
	last  atomic.Pointer[time.Time]
}

// at is when the last count began.
func (c *counting) at() time.Time {
	if last := c.last.Load(); last != nil {
		return last.Round(0)
	}
	return time.Time{}
}

func (c *counting) Stats(ctx context.Context) (outbox.Stats, error) {
	now := time.Now()
	c.last.Store(&now)
	c.times.Add(1)
	return c.memory.Stats(ctx)
}
