//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	storedConnections = 64
	storedRounds      = 11
	storedTime        = time.Second
	// latencyRate is a moderate one: what a machine does with ease.
	latencyRate = 2000
	latencyTime = 4 * time.Second
)

const storedRoutes = `sources:
  - {type: http, name: stored, address: "127.0.0.1:0", ack: stored}
  - {type: http, name: none, address: "127.0.0.1:0", ack: none}
routes:
  - name: all
    match: {}
    destinations: [{type: discard, address: nowhere}]
`

// storedFigures send to two HTTP sources of one keg in turns: one answers when an
// event is stored, the other at once. Both deliver to nowhere.
func storedFigures() ([]figure, error) {
	dir, keg, err := buildKeg()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	n, err := startNode(keg, dir, storedRoutes, 2, embeddedStore(dir)...)
	if err != nil {
		return nil, err
	}
	defer n.stop()
	s := &series{node: n, events: newEvents()}
	for _, source := range []string{"stored", "none"} { // warm up
		if _, err := s.send(source, load{length: storedTime / 2}); err != nil {
			return nil, err
		}
	}
	// Each round is beside one of the other kind, and the middle of their ratios
	// counts: what disturbs the machine for longer than a second disturbs both.
	var stored, none, ratios, storedCPU, noneCPU []float64
	for range storedRounds {
		a, err := s.send("stored", load{length: storedTime})
		if err != nil {
			return nil, err
		}
		b, err := s.send("none", load{length: storedTime})
		if err != nil {
			return nil, err
		}
		stored, none, ratios = append(stored, a.rate()), append(none, b.rate()), append(ratios, a.rate()/b.rate())
		storedCPU, noneCPU = append(storedCPU, a.cpuEach), append(noneCPU, b.cpuEach)
	}
	slow, err := s.send("stored", load{length: latencyTime, perTick: int(latencyRate * tick / time.Second)})
	if err != nil {
		return nil, err
	}
	slices.Sort(slow.latencies)
	part := func(q float64) time.Duration { return slow.latencies[int(q*float64(len(slow.latencies)-1))] }
	ratio := median(ratios)
	return []figure{
		{what: "events of 1 KB a second by HTTP, `ack: stored`", measured: fmt.Sprintf("%.0f", median(stored))},
		{what: "the same, `ack: none`", measured: fmt.Sprintf("%.0f", median(none))},
		{"stored against none, the middle of rounds side by side", fmt.Sprintf("%.2f", ratio), "at least 0.70", ratio < 0.70, ratio >= 0.50},
		{what: "processor time of keg for an event, `ack: stored` and `none`", measured: fmt.Sprintf("%.0f µs, %.0f µs", median(storedCPU), median(noneCPU))},
		{what: fmt.Sprintf("from request to 202 at %d events a second, `ack: stored`", latencyRate),
			measured: fmt.Sprintf("p50 %.1f ms, p99 %.1f ms", milliseconds(part(.5)), milliseconds(part(.99)))},
	}, nil
}

// embeddedStore is the environment of a keg that stores in a folder of dir.
func embeddedStore(dir string) []string {
	return []string{"KEG_PERSISTENCE_ENABLE=true", "KEG_PERSISTENCE_URL=file://" + filepath.Join(dir, "store")}
}

// series are loads for one node, whose events are numbered on.
type series struct {
	node   *node
	events *events
	sent   int
}

// send sends a load to a source of the node, and waits until all of it was
// delivered to nowhere, once.
func (s *series) send(source string, l load) (sent, error) {
	l.address, l.connections, l.events, l.first = s.node.listening[source], storedConnections, s.events, s.sent+1
	before, err := s.node.cpu()
	if err != nil {
		return sent{}, err
	}
	done, err := l.send()
	if err != nil {
		return sent{}, fmt.Errorf("source %s: %w", source, err)
	}
	s.sent += done.taken
	if err := s.node.awaitDelivered("nowhere", s.sent, time.Minute); err != nil {
		return sent{}, err
	}
	after, err := s.node.cpu()
	done.cpuEach = float64((after - before).Microseconds()) / float64(done.taken)
	return done, err
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// median is the middle of values.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
