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
	// manySenders keep two processors as busy under either promise; fewSenders are
	// as many as write to the embedded store in its own benchmark, so few that under
	// `ack: stored` the processors have to wait for them at times.
	manySenders  = 256
	fewSenders   = 64
	storedRounds = 11
	storedTime   = 700 * time.Millisecond
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
	many, few := &promises{senders: manySenders}, &promises{senders: fewSenders}
	if err := (&promises{senders: manySenders}).round(s); err != nil { // warm up
		return nil, err
	}
	for range storedRounds {
		for _, p := range []*promises{many, few} {
			if err := p.round(s); err != nil {
				return nil, err
			}
		}
	}
	slow, err := s.send("stored", load{connections: fewSenders, length: latencyTime, perTick: int(latencyRate * tick / time.Second)})
	if err != nil {
		return nil, err
	}
	slices.Sort(slow.latencies)
	part := func(q float64) time.Duration { return slow.latencies[int(q*float64(len(slow.latencies)-1))] }
	return append(append(many.figures(), few.figures()...), figure{
		what:     fmt.Sprintf("from request to 202 at %d events a second, `ack: stored`", latencyRate),
		measured: fmt.Sprintf("p50 %.1f ms, p99 %.1f ms", milliseconds(part(.5)), milliseconds(part(.99))),
	}), nil
}

// promises are the figures of both, from so many senders.
type promises struct {
	senders                                  int
	stored, none, ratios, storedCPU, noneCPU []float64
}

// round sends to both, one after the other: what disturbs the machine for longer
// than that disturbs both, so that the middle of many ratios counts.
func (p *promises) round(s *series) error {
	a, err := s.send("stored", load{connections: p.senders, length: storedTime})
	if err != nil {
		return err
	}
	b, err := s.send("none", load{connections: p.senders, length: storedTime})
	if err != nil {
		return err
	}
	p.stored, p.none, p.ratios = append(p.stored, a.rate()), append(p.none, b.rate()), append(p.ratios, a.rate()/b.rate())
	p.storedCPU, p.noneCPU = append(p.storedCPU, a.cpuEach), append(p.noneCPU, b.cpuEach)
	return nil
}

// figures are the middles of the rounds.
func (p *promises) figures() []figure {
	ratio := median(p.ratios)
	from := fmt.Sprintf("from %d senders: ", p.senders)
	return []figure{
		{what: from + "events of 1 KB a second by HTTP, `ack: stored`", measured: fmt.Sprintf("%.0f", median(p.stored))},
		{what: from + "the same, `ack: none`", measured: fmt.Sprintf("%.0f", median(p.none))},
		{from + "stored against none, the middle of rounds side by side", fmt.Sprintf("%.2f", ratio), "at least 0.70", ratio < 0.70, ratio >= 0.50},
		{what: from + "processor time of keg for an event, stored and none", measured: fmt.Sprintf("%.0f µs, %.0f µs", median(p.storedCPU), median(p.noneCPU))},
	}
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
	l.address, l.events, l.first = s.node.listening[source], s.events, s.sent+1
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
