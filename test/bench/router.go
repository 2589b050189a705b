//go:build linux

package main

import (
	"errors"
	"fmt"
)

// routerFigures hold the route table to its promise: an event's cost does not
// grow with routes that speak of other types.
func routerFigures() ([]figure, error) {
	match, err := goBench("./router", "^BenchmarkMatch$/^same_event$", 6, "200ms")
	if err != nil {
		return nil, err
	}
	compile, err := goBench("./router", "^BenchmarkCompile$", 4, "1x")
	if err != nil {
		return nil, err
	}
	var errs []error
	one := match.of("Match/same_event/routes=1", "ns/op", &errs)
	many := match.of("Match/same_event/routes=10000", "ns/op", &errs)
	allocs := match.of("Match/same_event/routes=10000", "allocs/op", &errs)
	figures := []figure{
		{"an event among 10,000 routes against one", fmt.Sprintf("%.2f times", many/one), "at most 1.5 times", many > 1.5*one, many < 2*one},
		{"an event among 10,000 routes", fmt.Sprintf("%.0f ns", many), "at most 1000 ns", many > 1000, false},
		{"its allocations", fmt.Sprintf("%.0f", allocs), "0", allocs > 0, false},
	}
	for _, format := range []string{"yaml", "json"} {
		name := "Compile/" + format + "/routes=10000"
		ns, mib := compile.of(name, "ns/op", &errs), compile.of(name, "retained-MiB", &errs)
		figures = append(figures,
			figure{"compiling 10,000 routes of " + format, fmt.Sprintf("%.0f ms", ns/1e6), "under 200 ms", ns >= 200e6, ns < 400e6},
			figure{"what they keep", fmt.Sprintf("%.1f MiB", mib), "under 10 MB", mib*(1<<20) >= 10e6, false},
		)
	}
	return figures, errors.Join(errs...)
}
