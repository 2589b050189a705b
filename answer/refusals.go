package answer

import (
	"context"
	"log/slog"
	"sync"

	"golang.org/x/time/rate"
)

// linesAtOnce is how many refusals of one level are logged at once, linesPerSecond
// how many in the long run.
const (
	linesAtOnce    = 1000
	linesPerSecond = 10
)

// Refusals logs refusals, a line each, and of a flood no more than somebody reads:
// senders choose how often they are refused, and must not fill the disk that
// events are kept on. Each line after some that were left out has their number.
// It is safe for concurrent use.
type Refusals struct {
	log   *slog.Logger
	mu    sync.Mutex
	flows map[slog.Level]*flow // one of each level, so that no sender's mistakes hide KEG's
}

// flow is what comes at one level.
type flow struct {
	limit   *rate.Limiter
	leftOut int // since the last line
}

// NewRefusals returns what logs to log.
func NewRefusals(log *slog.Logger) *Refusals {
	return &Refusals{log: log, flows: map[slog.Level]*flow{}}
}

// Note logs that a was answered, at its level, or leaves it out.
func (r *Refusals) Note(ctx context.Context, a Answer, message string, attributes ...slog.Attr) {
	level := a.Level()
	passes, leftOut := r.pass(level)
	if !passes {
		return
	}
	if leftOut > 0 {
		attributes = append(attributes, slog.Int("left_out", leftOut))
	}
	r.log.LogAttrs(ctx, level, message, attributes...)
}

// pass reports whether a line may be written, and how many were left out before it.
func (r *Refusals) pass(level slog.Level) (passes bool, leftOut int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.flows[level]
	if f == nil {
		f = &flow{limit: rate.NewLimiter(linesPerSecond, linesAtOnce)}
		r.flows[level] = f
	}
	if !f.limit.Allow() {
		f.leftOut++
		return false, 0
	}
	leftOut, f.leftOut = f.leftOut, 0
	return true, leftOut
}
