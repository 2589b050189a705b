package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// group is what one transaction stores.
type group struct {
	puts   []*put
	starts []int // of each put: its first entry's number
	count  int   // of entries
	bytes  int
}

func (g *group) add(p *put) {
	g.puts = append(g.puts, p)
	g.starts = append(g.starts, g.count)
	g.count += len(p.rows)
	g.bytes += p.bytes
}

// abandoned reports whether nobody waits for the group any more.
func (g *group) abandoned() bool {
	for _, p := range g.puts {
		if p.state.Load() == underway {
			return false
		}
	}
	return true
}

// outcome is where a group's entries are.
type outcome struct {
	base, node int64
	accepted   time.Time
	duplicates []int32        // numbers of entries
	unheld     map[int64]bool // number of the entry << 16 | n
}

// of is the i-th put's part.
func (o *outcome) of(g *group, i int) *placed {
	start, p := g.starts[i], g.puts[i]
	at := &placed{base: o.base + int64(start), node: o.node, accepted: o.accepted, duplicates: make([]bool, len(p.rows))}
	for _, number := range o.duplicates {
		if k := int(number) - start; k >= 0 && k < len(p.rows) {
			at.duplicates[k] = true
		}
	}
	if len(o.unheld) > 0 {
		at.unheld = make(map[place]bool)
		for k := range p.rows {
			for _, owed := range p.rows[k].owed {
				if o.unheld[int64(start+k)<<16|int64(owed.n)] {
					at.unheld[place{k, owed.n}] = true
				}
			}
		}
	}
	return at
}

// errForgotten: the writer has no row, so that it cannot tell what it has stored.
var errForgotten = errors.New("the writer's row is gone")

// attempt stores a group once, or, in doubt, finds that it is stored.
func (w *writer) attempt(ctx context.Context, g *group, doubt bool) (*outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	pooled, err := w.connection(ctx)
	if err != nil {
		return nil, err
	}
	defer pooled.Release()
	c := pooled.Conn()
	if w.id == 0 {
		if doubt {
			return nil, errForgotten
		}
		if err := c.QueryRow(ctx, `INSERT INTO writers DEFAULT VALUES RETURNING id`).Scan(&w.id); err != nil {
			return nil, &unsentError{err}
		}
		w.seq = 0
	}
	node := w.node.Load()
	out, err := w.commit(ctx, c, g, node)
	if !errors.Is(err, pgx.ErrNoRows) {
		return out, err
	}
	return w.recover(ctx, c, g, node)
}

// commit is one transaction: in one round trip, or three where duplicates must
// be known first. pgx.ErrNoRows tells that the writer's count has moved on.
func (w *writer) commit(ctx context.Context, c *pgx.Conn, g *group, node int64) (*outcome, error) {
	seen := g.dedupe()
	if len(seen.hashes) == 0 {
		columns := g.columns(nil)
		batch := &pgx.Batch{}
		out := &outcome{}
		columns.queue(batch, insertByWriter, out, w.id, w.seq+1, []int32{}, node)
		return out, c.SendBatch(ctx, batch).Close()
	}
	tx, err := c.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	duplicates, err := seen.check(ctx, tx)
	if err != nil {
		return nil, err
	}
	duplicates = g.beside(duplicates)
	columns := g.columns(duplicates)
	batch := &pgx.Batch{}
	out := &outcome{duplicates: duplicates}
	columns.queue(batch, insertByWriter, out, w.id, w.seq+1, duplicates, node)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, err
	}
	return out, tx.Commit(ctx)
}

// recover reads the outcome of a group that turned out to be stored.
func (w *writer) recover(ctx context.Context, c *pgx.Conn, g *group, node int64) (*outcome, error) {
	out := &outcome{node: node, unheld: make(map[int64]bool)}
	var seq int64
	err := c.QueryRow(ctx, `SELECT seq, base, duplicates, at FROM writers WHERE id = $1`, w.id).Scan(&seq, &out.base, &out.duplicates, &out.accepted)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && seq != w.seq+1 {
		return nil, errForgotten
	}
	if err != nil {
		return nil, err
	}
	stamps := make([]int64, len(g.puts))
	for i, p := range g.puts {
		stamps[i] = p.stamp
		for k := range p.rows {
			for _, owed := range p.rows[k].owed {
				out.unheld[int64(g.starts[i]+k)<<16|int64(owed.n)] = true
			}
		}
	}
	rows, err := c.Query(ctx, `SELECT event, n FROM deliveries WHERE holder = $1 AND event >= $2 AND event < $3 AND stamp = ANY($4)`,
		node, out.base, out.base+mostEntries, stamps)
	if err != nil {
		return nil, err
	}
	var event int64
	var n int16
	_, err = pgx.ForEachRow(rows, []any{&event, &n}, func() error {
		delete(out.unheld, (event-out.base)<<16|int64(n))
		return nil
	})
	return out, err
}
