package sources

import (
	"log/slog"
	"sync"
	"time"
)

// complaint tells of one trouble that goes on: once when it begins, when it
// changes, and every minute; and once when it is over.
type complaint struct {
	log *slog.Logger

	mu    sync.Mutex
	text  string
	since time.Time
	told  time.Time
	last  time.Time
	times int
}

const (
	complainAgain = time.Minute
	complainLeast = time.Second // between two lines, however the error changes
)

func (c *complaint) tell(message string, err error, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.times == 0 {
		c.since = now
	}
	c.times++
	c.last = now
	text := err.Error()
	since := now.Sub(c.told)
	if !c.told.IsZero() && (since < complainLeast || text == c.text && since < complainAgain) {
		return
	}
	c.text, c.told = text, now
	c.log.Warn(message, append([]any{"error", err, "failures", c.times, "for", now.Sub(c.since).Round(time.Millisecond)}, args...)...)
}

func (c *complaint) over(message string, args ...any) { c.quiet(0, message, args...) }

// quiet is over where nothing has failed for a while.
func (c *complaint) quiet(while time.Duration, message string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.times == 0 || time.Since(c.last) < while {
		return
	}
	c.log.Info(message, append([]any{"failures", c.times, "for", time.Since(c.since).Round(time.Millisecond)}, args...)...)
	c.times, c.text, c.told = 0, "", time.Time{}
}
