//go:build real

package postgres

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

var buffers = regexp.MustCompile(`Buffers: shared ([^\n]*)`)

// pagesOf runs a statement, and counts the pages that it looked at.
func pagesOf(t *testing.T, tx pgx.Tx, sql string, args ...any) int {
	t.Helper()
	rows, err := tx.Query(ctxOf(t), "EXPLAIN (ANALYZE, BUFFERS) "+sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	plan := strings.Join(lines, "\n")
	if strings.Contains(plan, "Seq Scan") {
		t.Errorf("a whole table is read:\n%s", plan)
	}
	pages := 0
	if first := buffers.FindStringSubmatch(plan); first != nil {
		for _, part := range strings.Fields(first[1]) {
			if name, count, ok := strings.Cut(part, "="); ok && (name == "hit" || name == "read") {
				n, _ := strconv.Atoi(count)
				pages += n
			}
		}
	}
	t.Logf("%d pages", pages)
	return pages
}

// Each statement reads what it hands out, however much waits: 100,000 blocked
// ones of a key, 100,000 that are due later, 100,000 that are ready elsewhere.
// The planner has no statistics of any of it.
func TestABacklogCostsOnlyWhatIsTakenFromIt(t *testing.T) {
	raw := newSchema(t)
	s := opened(t, raw, Options{})
	if err := s.Put(ctxOf(t), entry(1, false)); err != nil {
		t.Fatal(err)
	}
	queue, _ := s.queues.id(theQueue)
	fill := func(from int, queue int, rest string) string {
		return `INSERT INTO deliveries (event, n, queue, bytes, holder, stamp, due, lane, accepted)
			SELECT ` + strconv.Itoa(from) + ` + i, 0, ` + strconv.Itoa(queue) + `, 1, ` + rest + `, now() FROM generate_series(1, 100000) AS i;`
	}
	execute(t, raw, `ALTER TABLE deliveries SET (autovacuum_enabled = off); ALTER TABLE events SET (autovacuum_enabled = off);`+
		fill(-1000000, int(queue), `-2, 0, NULL, '\x01'::bytea`)+
		fill(-2000000, int(queue), `-1, 0, now() + interval '1 hour', NULL`)+
		fill(-3000000, int(queue)+1, `0, 0, NULL, NULL`)+
		`INSERT INTO events SELECT i, 1, '' FROM generate_series(-3000000, -2800000) AS i`)
	tx, err := s.pool.Begin(ctxOf(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctxOf(t)) }()
	node := s.node.Load()
	for round := range 8 { // generic plans come after five
		for name, test := range map[string]struct {
			sql  string
			args []any
			most int
		}{
			"Ready":              {readySQL, nil, 100},
			"Claim":              {claimSQL, []any{node, queue, 100, int64(1 << 40), int64(7)}, 200},
			"Claim of a backlog": {claimSQL, []any{node, queue + 1, 100, int64(1 << 40), int64(7)}, 6000},
			"Settle":             {settleDone, []any{node, []int64{-2999999, -2999998}, []int16{0, 0}, []int64{7, 7}}, 300},
			"Settle as dead": {settleDead, []any{node, []int64{-2999997, -2999996}, []int16{0, 0}, []int64{7, 7}, []int32{1, 1}, []any{nil, nil}, []any{nil, nil},
				[]string{"", ""}, []int32{0, 0}, []string{"x", "x"}}, 300},
			"promote": {promote, []any{[]int32{queue}, [][]byte{{1}}}, 100},
			"remove":  {removeShared, []any{[]int64{-2999999, -2899998}}, 100},
		} {
			t.Run(name, func(t *testing.T) {
				if pages := pagesOf(t, tx, test.sql, test.args...); pages > test.most {
					t.Errorf("round %d: %d pages, at most %d are needed", round, pages, test.most)
				}
			})
		}
	}
}
