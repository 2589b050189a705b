//go:build linux

package main

import (
	"errors"
	"fmt"
)

// hotPathFigures are what one event costs in each room that it passes. Nothing is
// promised of them; they are here to be watched.
func hotPathFigures() ([]figure, error) {
	var figures []figure
	var errs []error
	for _, b := range []struct{ what, pkg, name string }{
		{"decoding a plain request of 1 KB", "./cloudevents", "FromRequestPlain"},
		{"decoding a binary CloudEvent of 1 KB", "./cloudevents", "FromRequestBinary"},
		{"answering one event", "./answer", "OfOneEvent"},
	} {
		r, err := goBench(b.pkg, "^Benchmark"+b.name+"$", 3, "200ms")
		if err != nil {
			errs = append(errs, err)
			continue
		}
		figures = append(figures, figure{what: b.what, measured: fmt.Sprintf("%.0f ns, %.0f allocations",
			r.of(b.name, "ns/op", &errs), r.of(b.name, "allocs/op", &errs))})
	}
	return figures, errors.Join(errs...)
}
