package console

import (
	"context"
	"time"

	"github.com/kong/keg/outbox"
)

// Readiness is what /readyz tells.
type Readiness struct {
	Ready bool  `json:"ready"`
	Phase Phase `json:"phase"`
	// Why names each thing that keeps the node from being ready.
	Why          []string            `json:"why,omitempty"`
	Version      string              `json:"version,omitempty"`
	Store        StoreReport         `json:"store"`
	Destinations []DestinationReport `json:"destinations"`
	Sources      []SourceReport      `json:"sources"`
	Routes       *RoutesReport       `json:"routes,omitempty"`
}

// StoreReport is the store's part of it. The counts are absent where the store
// could not be asked.
type StoreReport struct {
	Status string `json:"status"` // ok, unavailable, or none without persistence
	Error  string `json:"error,omitempty"`
	*StoreCounts
}

// StoreCounts are what the store holds, or held: they may be a second old.
type StoreCounts struct {
	Waiting     int64   `json:"waiting"`
	OldestAge   float64 `json:"oldest_age_seconds"`
	DeadLetters int64   `json:"dead_letters"`
	Bytes       int64   `json:"bytes"`
	CutTails    int64   `json:"cut_tails"`
	// Counted is when the count began: what was stored or settled before is in it.
	Counted time.Time `json:"counted"`
}

// DestinationReport is one destination's.
type DestinationReport struct {
	Destination string    `json:"destination"`
	Breaker     Breaker   `json:"breaker"`
	Since       time.Time `json:"since,omitzero"`
	Error       string    `json:"error,omitempty"`
	Waiting     int64     `json:"waiting"`
	OldestAge   float64   `json:"oldest_age_seconds"`
}

// SourceReport is one source's.
type SourceReport struct {
	Source string    `json:"source"`
	Status string    `json:"status"` // up or down
	Since  time.Time `json:"since,omitzero"`
	Error  string    `json:"error,omitempty"`
}

// RoutesReport is the route table's.
type RoutesReport struct {
	File   string    `json:"file,omitempty"`
	Routes int       `json:"routes"`
	Loaded time.Time `json:"loaded,omitzero"`
	SHA256 string    `json:"sha256,omitempty"`
	Error  string    `json:"error,omitempty"`
	Failed time.Time `json:"failed,omitzero"`
}

// unready says why the node can take nothing; it is ready where there is no
// reason.
//
// A destination or a source that is away is none: the node still takes events,
// for that destination too where there is a store, and all of a fleet's nodes
// see the same destination away, so that to be unready would take the whole
// fleet out and turn one outage into all.
func (n *Node) unready() (why []string) {
	if phase := n.phase(); phase != Serving {
		why = append(why, "the node is "+string(phase))
	}
	if n.Store != nil {
		if err := n.Store.Check(); err != nil {
			why = append(why, "the store takes nothing: "+err.Error())
		}
	}
	return why
}

// readiness asks the node's parts how they are.
func readiness(ctx context.Context, n *Node, figures *statistics) Readiness {
	r := Readiness{
		Phase: n.phase(), Why: n.unready(), Version: n.Version,
		Destinations: []DestinationReport{}, Sources: []SourceReport{}, // [] and not null
	}
	r.Ready = len(r.Why) == 0
	stats, err := figures.get(ctx)
	r.Store = storeReport(n.Store, stats, err)
	queues := make(map[outbox.Queue]outbox.QueueStats, len(stats.Queues))
	for _, q := range stats.Queues {
		queues[q.Queue] = q
	}
	for _, d := range call(n.Destinations) {
		var here []outbox.QueueStats
		for _, q := range d.Queues {
			here = append(here, queues[q])
		}
		waiting, oldest := backlog(here)
		r.Destinations = append(r.Destinations, DestinationReport{d.Label, d.Breaker, d.Since, d.Error, waiting, age(oldest).Seconds()})
	}
	for _, s := range call(n.Sources) {
		status := "down"
		if s.Up {
			status = "up"
		}
		r.Sources = append(r.Sources, SourceReport{s.Name, status, s.Since, s.Error})
	}
	if n.Routes != nil {
		t := n.Routes()
		r.Routes = &RoutesReport{t.File, t.Routes, t.Loaded, t.SHA256, t.Error, t.Failed}
	}
	return r
}

func storeReport(store outbox.Store, stats count, err error) StoreReport {
	if store == nil {
		return StoreReport{Status: "none"}
	}
	report := StoreReport{Status: "ok"}
	if err := store.Check(); err != nil {
		report.Status, report.Error = "unavailable", err.Error()
	}
	if err != nil { // and why, Check says
		return report
	}
	waiting, oldest := backlog(stats.Queues)
	report.StoreCounts = &StoreCounts{Waiting: waiting, OldestAge: age(oldest).Seconds(), Bytes: stats.Bytes, CutTails: stats.CutTails, Counted: stats.began}
	for _, n := range stats.Dead {
		report.DeadLetters += n
	}
	return report
}
