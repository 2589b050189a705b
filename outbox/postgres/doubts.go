package postgres

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// doubtTime is how long a server may take to come to what it was sent: it may do
// that after the connection is gone, though not for longer than a statement may take.
const doubtTime = 30 * time.Second

// doubts are the stamps of calls that may have handed out deliveries which
// nobody knows of: their answer was lost, or came when the caller had gone. Each
// has the time until which it may still come true.
type doubts struct {
	mutex  sync.Mutex
	stamps map[int64]time.Time
}

func (d *doubts) add(stamp int64) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.stamps == nil {
		d.stamps = make(map[int64]time.Time)
	}
	d.stamps[stamp] = time.Now().Add(doubtTime)
}

func (d *doubts) all() []int64 {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return slices.Collect(maps.Keys(d.stamps))
}

// settled forgets those that were too old at a time after which they were freed.
func (d *doubts) settled(at time.Time) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	maps.DeleteFunc(d.stamps, func(_ int64, until time.Time) bool { return until.Before(at) })
}

// freeDoubts makes ready what was handed out to nobody. With the node's row
// locked none of the node's transactions is under way, so that the one in doubt
// is seen if it has begun; one that the server comes to later is freed by a later
// turn.
func (k *keeper) freeDoubts(ctx context.Context) error {
	stamps, at := k.doubts.all(), time.Now()
	if len(stamps) == 0 {
		return nil
	}
	var count int64
	err := pgx.BeginFunc(ctx, k.c, func(tx pgx.Tx) error {
		node := k.node.Load()
		if _, err := tx.Exec(ctx, `SELECT FROM nodes WHERE id = $1 FOR UPDATE`, node); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `UPDATE deliveries SET holder = 0 WHERE holder = $1 AND stamp = ANY($2)`, node, stamps)
		count = tag.RowsAffected()
		return err
	})
	if err == nil {
		k.doubts.settled(at)
	}
	if err == nil && count > 0 {
		k.changed()
	}
	return err
}
