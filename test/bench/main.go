//go:build linux

// Command bench measures what KEG promises of its speed and size, prints it as a
// table, and fails where a bound is missed: of a bound on time, by more than what
// a machine that others use too may take away. It runs the packages' own
// benchmarks and real processes; it measures nothing by itself. Ratios come from
// one run, and from the quietest of several rounds.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// figure is one line of the table.
type figure struct {
	what     string
	measured string
	bound    string // "" where nothing is promised
	missed   bool
	noise    bool // missed by no more than the machine's other work may explain
}

// part is a part of what is measured.
type part struct {
	name    string
	measure func() ([]figure, error)
}

// parts need Go alone. They are in the table's order.
var parts = []part{
	{"router", routerFigures},
	{"hot path", hotPathFigures},
	{"plugin socket", socketFigures},
	{"keg serve", serveFigures},
	{"keg dev", devFigures},
	{"embedded store", storeFigures},
	{"keg serve, storing", storedFigures},
	{"keg serve, a backlog", backlogFigures},
}

// beside need the services that test/services/run starts.
var beside = []part{
	{"store in PostgreSQL", postgresFigures},
	{"keg serve, PostgreSQL", storedInPostgresFigures},
	{"keg serve, brokers", brokerFigures},
}

// atLeast is a rate that is promised. It is the machine's, and that of its disk,
// as much as KEG's: one that is missed is marked, and fails where it is not half
// of what it should be.
func atLeast(what string, rate, bound float64) figure {
	return figure{what, fmt.Sprintf("%.0f a second", rate), fmt.Sprintf("at least %.0f a second", bound), rate < bound, rate > bound/2}
}

func main() {
	services := flag.Bool("services", false, "measure what needs the services of test/services/run, and nothing else")
	only := flag.String("only", "", "measure only the parts whose names contain this")
	flag.Parse()
	measured := parts
	if *services {
		measured = beside
	}
	measured = slices.DeleteFunc(measured, func(p part) bool { return !strings.Contains(p.name, *only) })
	if err := run(os.Stdout, measured); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, parts []part) error {
	var errs []error
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WHAT\tMEASURED\tBOUND")
	for _, part := range parts {
		fmt.Fprintf(os.Stderr, "measuring %s…\n", part.name)
		figures, err := part.measure()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", part.name, err))
		}
		for _, f := range figures {
			verdict := ""
			if f.missed {
				verdict = "  MISSED"
			}
			if f.missed && !f.noise {
				errs = append(errs, fmt.Errorf("%s: %s is %s; the bound is %s", part.name, f.what, f.measured, f.bound))
			}
			fmt.Fprintf(table, "%s: %s\t%s\t%s%s\n", part.name, f.what, f.measured, f.bound, verdict)
		}
	}
	return errors.Join(append(errs, table.Flush())...)
}
