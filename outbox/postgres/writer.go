package postgres

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/kong/keg/outbox"
)

const (
	groupEntries = 4096    // of one group, unless one Put alone has more
	groupBytes   = 8 << 20 // likewise
	attemptTime  = 12 * time.Second
	// resolveTime bounds the time in which a writer tries to learn whether a
	// group was stored, while a caller waits for it.
	resolveTime = 30 * time.Second
)

// writer commits Puts in groups: all that has come while it committed the one
// before.
type writer struct {
	*Store
	id, seq int64 // its row of table writers, 0 before it has one
}

func (w *writer) run(ctx context.Context) {
	defer w.forget()
	var next *put
	for {
		if next == nil {
			select {
			case next = <-w.puts:
			case <-ctx.Done():
				return
			}
		}
		g := &group{}
		g.add(next)
		next = nil
		// Those whom the last group has let go are about to come again: they are
		// given the processor once or twice, and the group gets fuller for it.
		yields := 0
	gather:
		for {
			select {
			case p := <-w.puts:
				yields = 0
				if g.count+len(p.rows) > groupEntries || g.bytes+p.bytes > groupBytes {
					next = p
					break gather
				}
				g.add(p)
			default:
				if yields++; yields > 2 {
					break gather
				}
				runtime.Gosched()
			}
		}
		w.store(ctx, g)
	}
}

// forget removes the writer's row; one that is left goes after a day.
func (w *writer) forget() {
	if problem, _ := w.health.check(); w.id == 0 || problem != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = w.pool.Exec(ctx, `DELETE FROM writers WHERE id = $1`, w.id)
}

// store commits a group, and tells every put of it what became of it.
func (w *writer) store(ctx context.Context, g *group) {
	doubt := false // an attempt may have been committed
	var err error
	began := time.Now()
	for attempt := 1; ; attempt++ {
		var out *outcome
		if out, err = w.attempt(ctx, g, doubt); err == nil {
			w.seq++
			w.tell(g, out)
			return
		}
		answer := serverError(err)
		switch {
		case doubt:
			if errors.Is(err, errForgotten) || ctx.Err() != nil || g.abandoned() || time.Since(began) > resolveTime {
				w.unknown(g, err)
				return
			}
			if unsent(err) && !errors.Is(err, errNoConnection) {
				w.fail(err)
			}
		case undone(err) && passing[answer.Code] && attempt < 3:
		case errors.Is(err, errForgotten) && attempt < 3:
			w.id = 0
			continue
		case unsent(err) && !undone(err) && !isConnecting(err) && !errors.Is(err, errNoConnection) && attempt < 3:
			continue // a connection of before the server's last start
		case undone(err), unsent(err):
			w.refuse(g, err)
			return
		default:
			doubt = true
			continue
		}
		select {
		case <-time.After(min(time.Duration(attempt)*20*time.Millisecond, 250*time.Millisecond)):
		case <-ctx.Done():
		}
	}
}

func isConnecting(err error) bool {
	var connecting *pgconn.ConnectError
	return errors.As(err, &connecting)
}

// refuse tells that nothing of a group is stored.
func (w *writer) refuse(g *group, err error) {
	var problem error
	if isConnecting(err) {
		problem = w.fail(err)
	} else {
		problem = unavailable(context.Background(), err)
	}
	for _, p := range g.puts {
		if p.state.CompareAndSwap(underway, answered) {
			p.done <- &placed{err: problem}
		}
	}
}

// unknown tells that nobody knows. Where it was stored after all, nobody holds
// it: the keeper frees it, and the writer begins anew.
func (w *writer) unknown(g *group, err error) {
	problem := &outbox.UnavailableError{Problem: "the connection was lost while the database stored it, so that it may be stored or not", Err: err}
	for _, p := range g.puts {
		w.doubts.add(p.stamp)
		if p.state.CompareAndSwap(underway, answered) {
			p.done <- &placed{err: problem}
		}
	}
	w.id, w.seq = 0, 0
	w.wake()
}

// tell hands its own to every put of a group. What was held for one that has
// gone is freed.
func (w *writer) tell(g *group, out *outcome) {
	ready, gone := false, false
	for i, p := range g.puts {
		at := out.of(g, i)
		ready = ready || !p.held(at)
		if p.state.CompareAndSwap(underway, answered) {
			p.done <- at
			continue
		}
		w.doubts.add(p.stamp)
		gone = true
	}
	if ready {
		w.changed()
	}
	if gone {
		w.wake()
	}
}
