package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// seen are the entries of a group that are stored only once: the first of each
// hash, which goes to the database, and those that come after one in the same
// group, which are duplicates whatever becomes of it.
type seen struct {
	hashes  [][]byte
	windows []float64
	numbers []int32
	again   []int32
}

func (g *group) dedupe() *seen {
	s := &seen{}
	var first map[string]bool
	for i, p := range g.puts {
		for k := range p.rows {
			r, number := &p.rows[k], int32(g.starts[i]+k)
			if r.hash == nil {
				continue
			}
			if first == nil {
				first = make(map[string]bool)
			}
			if first[string(r.hash)] {
				s.again = append(s.again, number)
				continue
			}
			first[string(r.hash)] = true
			s.hashes = append(s.hashes, r.hash)
			s.windows = append(s.windows, microseconds(r.window))
			s.numbers = append(s.numbers, number)
		}
	}
	return s
}

// A hash that another transaction has just inserted is waited for, in the order
// of the hashes, so that two such transactions never wait for each other.
const reserve = `INSERT INTO dedupe AS d (hash, stored, until)
SELECT hash, now(), now() + span * interval '1 microsecond' FROM unnest($1::bytea[], $2::float8[]) AS t(hash, span) ORDER BY hash
ON CONFLICT (hash) DO UPDATE SET stored = excluded.stored, until = excluded.until
	WHERE d.stored <= excluded.stored - (excluded.until - excluded.stored)
RETURNING hash`

// check reserves the hashes, and returns the numbers of the duplicates.
func (s *seen) check(ctx context.Context, tx pgx.Tx) ([]int32, error) {
	rows, err := tx.Query(ctx, reserve, s.hashes, s.windows)
	if err != nil {
		return nil, err
	}
	fresh := make(map[string]bool, len(s.hashes))
	var hash []byte
	if _, err := pgx.ForEachRow(rows, []any{&hash}, func() error { fresh[string(hash)] = true; return nil }); err != nil {
		return nil, err
	}
	duplicates := append([]int32{}, s.again...)
	for i, hash := range s.hashes {
		if !fresh[string(hash)] {
			duplicates = append(duplicates, s.numbers[i])
		}
	}
	return duplicates, nil
}

// beside adds to the numbers of duplicates those of the rows beside them.
func (g *group) beside(duplicates []int32) []int32 {
	if len(duplicates) == 0 {
		return duplicates
	}
	is := make(map[int32]bool, len(duplicates))
	for _, number := range duplicates {
		is[number] = true
	}
	for i, p := range g.puts {
		for k := range p.rows {
			number := int32(g.starts[i] + k)
			if p.rows[k].beside && is[number-1] && !is[number] {
				is[number] = true
				duplicates = append(duplicates, number)
			}
		}
	}
	return duplicates
}
