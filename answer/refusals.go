package answer

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// linesAtOnce is how many refusals of one level are logged at once,
	// linesPerSecond how many in the long run.
	linesAtOnce    = 1000
	linesPerSecond = 10
	// tellAfter is how long after the first one that was left out it is told how many
	// were.
	tellAfter = 10 * time.Second
)

// Refusals logs refusals, a line each, and of a flood no more than somebody reads:
// senders choose how often they are refused, and must not fill the disk that
// events are kept on. How many were left out is told in a line of its own. It is
// for what the sender hears of; what nobody else is told belongs in a log whole.
// It is safe for concurrent use.
type Refusals struct {
	log   *slog.Logger
	mu    sync.Mutex
	flows map[slog.Level]*flow // one of each level, so that no sender's mistakes hide KEG's
}

// flow is what comes at one level.
type flow struct {
	limit   *rate.Limiter
	leftOut int // since it was told
}

// NewRefusals returns what logs to log.
func NewRefusals(log *slog.Logger) *Refusals {
	return &Refusals{log: log, flows: map[slog.Level]*flow{}}
}

// Note logs that a was answered, at its level, or counts it.
func (r *Refusals) Note(ctx context.Context, a Answer, message string, attributes ...slog.Attr) {
	if r.pass(a.Level()) {
		r.log.LogAttrs(ctx, a.Level(), message, attributes...)
	}
}

func (r *Refusals) pass(level slog.Level) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.flows[level]
	if f == nil {
		f = &flow{limit: rate.NewLimiter(linesPerSecond, linesAtOnce)}
		r.flows[level] = f
	}
	if f.limit.Allow() {
		return true
	}
	if f.leftOut++; f.leftOut == 1 {
		time.AfterFunc(tellAfter, func() { r.tell(level, f) })
	}
	return false
}

func (r *Refusals) tell(level slog.Level, f *flow) {
	r.mu.Lock()
	n := f.leftOut
	f.leftOut = 0
	r.mu.Unlock()
	r.log.Log(context.Background(), level, "more was refused than is logged one by one", "left_out", n)
}
