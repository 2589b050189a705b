package server

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// failures logs what went wrong with events and instances. The same failure
// comes with every request of a busy route, so it is logged once in a while,
// with the number of those that were left out: a log that Kong reads through a
// pipe must not become the bottleneck of the gateway.
type failures struct {
	every time.Duration

	mu   sync.Mutex
	seen map[string]*repeated
}

type repeated struct {
	logged time.Time
	since  int // how many were left out
}

// mostFailures bounds what is remembered; errors may name what clients send.
const mostFailures = 256

func newFailures(every time.Duration) *failures {
	return &failures{every: every, seen: make(map[string]*repeated)}
}

// log logs a failure of a plugin ("" for none), unless it was logged lately.
func (f *failures) log(log *slog.Logger, plugin, what string, err error) {
	left, ok := f.admit(plugin+": "+what+": "+err.Error(), time.Now())
	if !ok {
		return
	}
	attributes := []slog.Attr{slog.Any("error", err)}
	if plugin != "" {
		attributes = append(attributes, slog.String("plugin", plugin))
	}
	if left > 0 {
		attributes = append(attributes, slog.Int("repeated", left))
	}
	var panicked *PanicError
	if errors.As(err, &panicked) {
		attributes = append(attributes, slog.String("stack", string(panicked.Stack)))
	}
	log.LogAttrs(context.Background(), slog.LevelError, what, attributes...)
}

// admit reports whether a line may be logged now, and how many of its kind
// were left out before it.
func (f *failures) admit(line string, now time.Time) (left int, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r := f.seen[line]; r != nil {
		if now.Sub(r.logged) < f.every {
			r.since++
			return 0, false
		}
		left, r.since, r.logged = r.since, 0, now
		return left, true
	}
	if len(f.seen) >= mostFailures {
		clear(f.seen)
	}
	f.seen[line] = &repeated{logged: now}
	return 0, true
}
