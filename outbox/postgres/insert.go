package postgres

import (
	"time"

	"github.com/jackc/pgx/v5"
)

// columns are a group's rows as the arrays that the statement unnests.
type columns struct {
	// events
	number []int32
	owed   []int16
	data   [][]byte
	// deliveries
	dNumber     []int32
	dN          []int16
	dQueue      []int32
	dBytes      []int32
	dHold       []bool
	dBehind     []bool // something of the group comes before it
	dStamp      []int64
	dLane, dKey [][]byte
	// dead letters
	xQueue, xStatus, xAttempts, xBytes    []int32
	xReason, xError                       []string
	xLane, xKey, xData                    [][]byte
	xFirst, xLast, xAccepted, xDied       []*time.Time
	replaces                              []int64
	holdQueues, keyedQueues               []int32
	holding, keyed, waiting, keysUnderway map[any]bool
}

// columns leaves out the duplicates.
func (g *group) columns(duplicates []int32) *columns {
	c := &columns{number: []int32{}, replaces: []int64{}, holdQueues: []int32{},
		holding: map[any]bool{}, keyed: map[any]bool{}, waiting: map[any]bool{}, keysUnderway: map[any]bool{}}
	skip := make(map[int32]bool, len(duplicates))
	for _, number := range duplicates {
		skip[number] = true
	}
	for i, p := range g.puts {
		for k := range p.rows {
			if number := int32(g.starts[i] + k); !skip[number] {
				c.add(&p.rows[k], number, p.stamp)
			}
		}
	}
	return c
}

func (c *columns) add(r *row, number int32, stamp int64) {
	if len(r.owed) > 0 {
		c.number = append(c.number, number)
		c.owed = append(c.owed, int16(len(r.owed)))
		c.data = append(c.data, r.data)
	}
	if r.replaces != 0 {
		c.replaces = append(c.replaces, r.replaces)
	}
	for i := range r.owed {
		o := &r.owed[i]
		c.dNumber = append(c.dNumber, number)
		c.dN = append(c.dN, o.n)
		c.dQueue = append(c.dQueue, o.queue)
		c.dBytes = append(c.dBytes, r.bytes)
		c.dHold = append(c.dHold, o.hold)
		c.dStamp = append(c.dStamp, stamp)
		c.dLane = append(c.dLane, o.lane)
		c.dKey = append(c.dKey, o.key)
		c.dBehind = append(c.dBehind, c.behind(o))
	}
	for i := range r.dead {
		x := &r.dead[i]
		c.xQueue = append(c.xQueue, x.queue)
		c.xReason = append(c.xReason, x.reason)
		c.xLane = append(c.xLane, x.lane)
		c.xKey = append(c.xKey, x.key)
		c.xError = append(c.xError, x.problem)
		c.xStatus = append(c.xStatus, x.status)
		c.xAttempts = append(c.xAttempts, x.attempts)
		c.xFirst = append(c.xFirst, x.first)
		c.xLast = append(c.xLast, x.last)
		c.xAccepted = append(c.xAccepted, x.accepted)
		c.xDied = append(c.xDied, x.died)
		c.xBytes = append(c.xBytes, r.bytes)
		c.xData = append(c.xData, r.data)
	}
}

// behind reports whether one of the group comes before o: of its key, or, where
// neither has a key, one that waits.
func (c *columns) behind(o *owedRow) bool {
	if o.lane == nil {
		if o.hold && !c.holding[o.queue] {
			c.holding[o.queue] = true
			c.holdQueues = append(c.holdQueues, o.queue)
		}
		behind := c.waiting[o.queue]
		c.waiting[o.queue] = behind || !o.hold
		return behind
	}
	if !c.keyed[o.queue] {
		c.keyed[o.queue] = true
		c.keyedQueues = append(c.keyedQueues, o.queue)
	}
	type line struct {
		queue int32
		lane  string
	}
	own := line{o.queue, string(o.lane)}
	behind := c.keysUnderway[own]
	c.keysUnderway[own] = true
	return behind
}

// lockQueues puts what changes the lines of queues with keys in order.
const lockQueues = `SELECT FROM queues WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE`

// insertStatement stores a group's rows; w says under which number, in one
// column base, or with no row that nothing is to be stored. Parameters from $5
// on are columns; $4 is the node. Most groups bring no dead letters and replace
// none, and go without that part: a statement costs by its length, too.
func insertStatement(w string, dead bool) string {
	var rest string
	if dead {
		rest = `,
x AS (INSERT INTO dead (queue, reason, lane, key, error, status, attempts, first, last, accepted, died, bytes, data)
	SELECT t.queue, t.reason, t.lane, t.key, t.error, t.status, t.attempts, t.first, t.last, coalesce(t.accepted, now()), coalesce(t.died, now()), t.bytes, t.data
	FROM w, unnest($18::int4[], $19::text[], $20::bytea[], $21::bytea[], $22::text[], $23::int4[], $24::int4[],
		$25::timestamptz[], $26::timestamptz[], $27::timestamptz[], $28::timestamptz[], $29::int4[], $30::bytea[])
		AS t(queue, reason, lane, key, error, status, attempts, first, last, accepted, died, bytes, data)),
r AS (DELETE FROM dead USING w WHERE id = ANY($31::int8[]))`
	}
	return `
WITH w AS MATERIALIZED (` + w + `),
me AS MATERIALIZED (SELECT id FROM nodes WHERE id = $4 FOR KEY SHARE),
busy AS MATERIALIZED (SELECT q FROM unnest($17::int4[]) AS q WHERE EXISTS (SELECT FROM deliveries WHERE holder = 0 AND queue = q)
	OR EXISTS (SELECT FROM deliveries WHERE holder = -1 AND queue = q AND due <= now())),
e AS (INSERT INTO events (id, owed, data)
	SELECT w.base + t.i, t.owed, t.data FROM w, unnest($5::int4[], $6::int2[], $7::bytea[]) AS t(i, owed, data)),
d AS (INSERT INTO deliveries (event, n, queue, bytes, holder, stamp, lane, key, accepted)
	SELECT w.base + t.i, t.n, t.queue, t.bytes,
		CASE WHEN t.lane IS NOT NULL AND (t.behind OR EXISTS (SELECT FROM deliveries x WHERE x.queue = t.queue AND x.lane = t.lane)) THEN -2
			WHEN t.hold AND NOT (t.lane IS NULL AND (t.behind OR t.queue IN (SELECT q FROM busy))) THEN coalesce((SELECT id FROM me), 0)
			ELSE 0 END,
		t.stamp, t.lane, t.key, now()
	FROM w, unnest($8::int4[], $9::int2[], $10::int4[], $11::int4[], $12::bool[], $13::bool[], $14::int8[], $15::bytea[], $16::bytea[])
		AS t(i, n, queue, bytes, hold, behind, stamp, lane, key)
	RETURNING event, n, holder)` + rest + `
SELECT w.base, now(), coalesce((SELECT id FROM me), 0),
	(SELECT array_agg((d.event - w.base) << 16 | d.n) FROM d WHERE d.holder <= 0)
FROM w`
}

// insert is a statement without and with dead letters.
type insert [2]string

func insertOf(w string) insert { return insert{insertStatement(w, false), insertStatement(w, true)} }

var (
	// insertByWriter counts the writer's row up from $2 - 1: once, whatever
	// becomes of the connection.
	insertByWriter = insertOf(`UPDATE writers SET seq = $2, base = nextval('groups') << 16, duplicates = $3, at = now()
		WHERE id = $1 AND seq = $2 - 1 RETURNING base`)
	// insertAlone is for a transaction that may be repeated for other reasons.
	insertAlone = insertOf(`SELECT nextval('groups') << 16 AS base WHERE $1::int8 = 0 AND $2::int8 = 0 AND $3::int4[] = '{}'`)
)

// queue adds the statements to batch, which fill in out.
func (c *columns) queue(batch *pgx.Batch, insert insert, out *outcome, first ...any) {
	if len(c.keyedQueues) > 0 {
		batch.Queue(lockQueues, c.keyedQueues)
	}
	args := append(first, c.number, c.owed, c.data,
		c.dNumber, c.dN, c.dQueue, c.dBytes, c.dHold, c.dBehind, c.dStamp, c.dLane, c.dKey, c.holdQueues)
	statement := insert[0]
	if len(c.xQueue)+len(c.replaces) > 0 {
		statement = insert[1]
		args = append(args, c.xQueue, c.xReason, c.xLane, c.xKey, c.xError, c.xStatus, c.xAttempts,
			c.xFirst, c.xLast, c.xAccepted, c.xDied, c.xBytes, c.xData, c.replaces)
	}
	batch.Queue(statement, args...).QueryRow(func(row pgx.Row) error {
		var unheld []int64
		if err := row.Scan(&out.base, &out.accepted, &out.node, &unheld); err != nil {
			return err
		}
		out.unheld = make(map[int64]bool, len(unheld))
		for _, place := range unheld {
			out.unheld[place] = true
		}
		return nil
	})
}
