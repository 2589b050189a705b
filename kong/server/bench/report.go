//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// The targets: kong/server against its rival.
const (
	leastRate  = 3.5
	mostCPU    = 0.25
	mostAllocs = 0.25
)

// report prints the table and returns what of the targets was missed.
func report(w io.Writer, ours, rival *side) error {
	fmt.Fprintf(w, "Two calls (headers, body) of a 1 KB event, %d connections; median (min to max) of %d turns of %v each, in turns.\n\n", *connections, *rounds, *turn)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\t"+ours.name+"\t"+rival.name+"\tratio\ttarget")
	var missed []error
	row := func(name, format string, of func(figures) float64, target float64, atLeast bool) {
		a, b := spreadOf(ours, of), spreadOf(rival, of)
		ratio := a.median / b.median
		fmt.Fprintf(table, "%s\t%s\t%s\t%.2f\t", name, a.show(format), b.show(format), ratio)
		switch {
		case target == 0:
			fmt.Fprintln(table)
			return
		case atLeast:
			fmt.Fprintf(table, "at least %.2f\n", target)
		default:
			fmt.Fprintf(table, "at most %.2f\n", target)
		}
		if atLeast && ratio < target || !atLeast && ratio > target {
			missed = append(missed, fmt.Errorf("%s: the ratio %.2f misses %.2f", name, ratio, target))
		}
	}
	row("events/s", "%.0f", func(f figures) float64 { return f.rate }, leastRate, true)
	row("CPU µs/event", "%.1f", func(f figures) float64 { return f.cpu }, mostCPU, false)
	row("allocations/event", "%.1f", func(f figures) float64 { return f.allocs }, mostAllocs, false)
	row("bytes/event", "%.0f", func(f figures) float64 { return f.bytes }, 0, false)
	if err := table.Flush(); err != nil {
		return err
	}
	return errors.Join(missed...)
}

type spread struct{ median, least, most float64 }

func spreadOf(s *side, of func(figures) float64) spread {
	var values []float64
	for _, f := range s.figures {
		values = append(values, of(f))
	}
	slices.Sort(values)
	n := len(values)
	return spread{(values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1]}
}

func (s spread) show(format string) string {
	return fmt.Sprintf(format+" ("+format+" to "+format+")", s.median, s.least, s.most)
}
