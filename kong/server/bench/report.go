//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// bound is what kong/server must reach against its rival: the target, and what
// the command fails at. They differ for what is measured in time: the median
// ratios are 3.8 to 4.0 of the rate and 0.24 to 0.26 of the CPU, where what is left
// is what the kernel takes for two reads and two writes, and a machine that
// others use moves them by more than what is between them and the targets.
type bound struct {
	target, floor float64
	atLeast       bool
}

var (
	rateBound   = bound{3.5, 3.0, true}
	cpuBound    = bound{0.25, 0.30, false}
	allocsBound = bound{0.25, 0.25, false}
)

func (b bound) String() string {
	if b.atLeast {
		return fmt.Sprintf("at least %.2f", b.target)
	}
	return fmt.Sprintf("at most %.2f", b.target)
}

// misses tells whether a ratio is worse than the target, and fails whether it is
// worse than noise explains.
func (b bound) misses(ratio float64) bool { return b.worse(ratio, b.target) }
func (b bound) fails(ratio float64) bool  { return b.worse(ratio, b.floor) }

func (b bound) worse(ratio, than float64) bool {
	if b.atLeast {
		return ratio < than
	}
	return ratio > than
}

// report prints the table and returns what is worse than the bounds allow.
func report(w io.Writer, ours, rival *side) error {
	fmt.Fprintf(w, "Two calls (headers, body) of a 1 KB event, %d connections; Kong's frames written %s.\nMedian (min to max) of %d pairs of turns of %v each; the ratio is that of each pair.\n\n", *connections, *writes, *rounds, *turn)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\t"+ours.name+"\t"+rival.name+"\tratio\ttarget")
	var missed []error
	row := func(name, format string, of func(figures) float64, bound *bound) {
		a, b := turnsOf(ours, of), turnsOf(rival, of)
		ratios := make([]float64, len(a))
		for i := range a {
			ratios[i] = a[i] / b[i]
		}
		ratio := spreadOf(ratios).median
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t", name, spreadOf(a).show(format), spreadOf(b).show(format), spreadOf(ratios).show("%.3f"))
		if bound == nil {
			fmt.Fprintln(table)
			return
		}
		verdict := ""
		if *writes == together && bound.misses(ratio) {
			verdict = "  MISSED"
		}
		fmt.Fprintf(table, "%s%s\n", bound, verdict)
		if *writes == together && bound.fails(ratio) {
			missed = append(missed, fmt.Errorf("%s: the ratio %.3f is worse than %.2f", name, ratio, bound.floor))
		}
	}
	row("events/s", "%.0f", func(f figures) float64 { return f.rate }, &rateBound)
	row("CPU µs/event", "%.1f", func(f figures) float64 { return f.cpu }, &cpuBound)
	row("allocations/event", "%.1f", func(f figures) float64 { return f.allocs }, &allocsBound)
	row("bytes/event", "%.0f", func(f figures) float64 { return f.bytes }, nil)
	if err := table.Flush(); err != nil {
		return err
	}
	return errors.Join(missed...)
}

type spread struct{ median, least, most float64 }

func turnsOf(s *side, of func(figures) float64) []float64 {
	var values []float64
	for _, f := range s.figures {
		values = append(values, of(f))
	}
	return values
}

func spreadOf(turns []float64) spread {
	values := slices.Sorted(slices.Values(turns))
	n := len(values)
	return spread{(values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1]}
}

func (s spread) show(format string) string {
	return fmt.Sprintf(format+" ("+format+" to "+format+")", s.median, s.least, s.most)
}
