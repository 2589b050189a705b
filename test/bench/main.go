// Command bench measures what KEG promises of its speed and size, prints it as a
// table, and fails where a bound is missed: of a bound on time, by more than what
// a machine that others use too may take away. It runs the packages' own
// benchmarks and real processes; it measures nothing by itself. Ratios come from
// one run, and from the quietest of several rounds.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
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

// parts are what is measured, in the table's order.
var parts = []struct {
	name    string
	measure func() ([]figure, error)
}{
	{"router", routerFigures},
	{"hot path", hotPathFigures},
	{"keg serve", serveFigures},
	{"keg dev", devFigures},
}

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(w io.Writer) error {
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
