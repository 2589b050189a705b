//go:build linux

package main

import (
	"errors"
	"fmt"
)

// storeFigures hold the embedded store to its promises; the benchmark puts a bare
// Pebble beside it, in turns.
func storeFigures() ([]figure, error) {
	r, err := goBench("./outbox/embedded", "^BenchmarkPut$", 3, "200000x")
	if err != nil {
		return nil, err
	}
	var errs []error
	put, bare := r.middle("Put", "events/s", &errs), r.middle("Put", "bare-events/s", &errs)
	ratio := r.middle("Put", "of-bare", &errs)
	stored := atLeast("events of 1 KB stored a second, by 64 writers who wait for a sync", put, 90_000)
	stored.noise = stored.noise || ratio >= 0.80 // a slow disk is as slow for a bare Pebble
	return []figure{
		stored,
		{what: "a bare Pebble's batches, by as many", measured: fmt.Sprintf("%.0f a second", bare)},
		{"the store against the bare Pebble", fmt.Sprintf("%.2f", ratio), "at least 0.80", ratio < 0.80, ratio >= 0.70},
	}, errors.Join(errs...)
}

// postgresFigures hold the store in PostgreSQL to its own, of one node.
func postgresFigures() ([]figure, error) {
	r, err := goBench("./outbox/postgres", "^Benchmark(PutBy64Writers|ClaimAndSettle|Through)$", 3, "50000x", "-tags", "real")
	if err != nil {
		return nil, err
	}
	var errs []error
	figures := []figure{
		atLeast("events of 1 KB stored a second, by 64 writers", r.middle("PutBy64Writers", "events/s", &errs), 15_000),
		atLeast("claimed and settled a second", r.middle("ClaimAndSettle", "events/s", &errs), 10_000),
		{what: "stored and settled at once", measured: fmt.Sprintf("%.0f a second", r.middle("Through", "events/s", &errs))},
	}
	return figures, errors.Join(errs...)
}
