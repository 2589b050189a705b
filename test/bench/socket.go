//go:build linux

package main

import (
	"errors"
	"fmt"
)

// leastShare is the promise of how many requests a second kafka-upstream answers,
// of those that event-router does, where both wait for their destination.
const leastShare = 0.8

// socketFigures are requests through the plugin server's socket, to both plugins
// in turns.
func socketFigures() ([]figure, error) {
	r, err := goBench("./plugins", "^BenchmarkThroughTheSocket$", 5, "1s")
	if err != nil {
		return nil, err
	}
	var errs []error
	router := r.of("ThroughTheSocket", "event-router-ns", &errs)
	upstream := r.of("ThroughTheSocket", "kafka-upstream-ns", &errs)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	share := router / upstream
	return []figure{
		{what: "a request to event-router", measured: fmt.Sprintf("%.0f µs", router/1000)},
		{
			"a request to kafka-upstream, synchronous", fmt.Sprintf("%.0f µs, %.0f %% of event-router's rate", upstream/1000, 100*share),
			fmt.Sprintf("at least %.0f %%", 100*leastShare), share < leastShare, share > leastShare/2,
		},
	}, nil
}
