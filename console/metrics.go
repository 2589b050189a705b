package console

import (
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/kong/keg"
)

// maxSeries bounds the values that a label takes (destinations, entries,
// routes), over the life of the process. They come from configuration, which may
// change for ever; what comes after so many is counted together, as [other].
const maxSeries = 1000

// other stands for all label values beyond [maxSeries].
const other = "other"

// durations are the histograms' buckets, in seconds: from a store's sync to the
// longest wait between two attempts, and beyond it whatever an outage brings.
var durations = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}

// Metrics counts what the hub and the dispatcher tell it, for Prometheus. Its
// methods may be called by many goroutines at once, take no lock once a series
// is there, and allocate nothing.
type Metrics struct {
	registry *prometheus.Registry

	events     *prometheus.CounterVec
	accept     *prometheus.HistogramVec
	deliveries *prometheus.CounterVec
	delivery   *prometheus.HistogramVec
	attempts   *prometheus.CounterVec
	attempt    *prometheus.HistogramVec
	died       map[keg.Reason]prometheus.Counter
	unknown    prometheus.Counter // died of a reason that is not listed
	replayed   prometheus.Counter
	dropped    prometheus.Counter

	entries      series[*entrySeries]
	destinations series[*destinationSeries]
	// byDestination spares the making of a label for each delivery. Tables come
	// and go, so it is emptied when it has grown large.
	byDestination      sync.Map // *keg.Destination to *destinationSeries
	byDestinationCount atomic.Int64
}

// NewMetrics returns metrics that have counted nothing. version is that of the
// program.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "keg_events_total",
			Help: "Events that came in, by the entry that they came by and what became of them."}, []string{"entry", "outcome"}),
		accept: histogram("keg_accept_duration_seconds",
			"Time from an event's receipt to the answer that it is safe or refused.", "entry"),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "keg_deliveries_total",
			Help: "Deliveries that have ended, by destination and how."}, []string{"destination", "outcome"}),
		delivery: histogram("keg_delivery_duration_seconds",
			"Time from when an event was accepted to when its destination had it.", "destination"),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "keg_attempts_total",
			Help: "Attempts at deliveries, by destination and what they met."}, []string{"destination", "outcome"}),
		attempt: histogram("keg_attempt_duration_seconds", "Time that one attempt at a delivery took.", "destination"),
		died:    map[keg.Reason]prometheus.Counter{},
		replayed: prometheus.NewCounter(prometheus.CounterOpts{Name: "keg_dead_letters_replayed_total",
			Help: "Dead letters that were replayed."}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{Name: "keg_dead_letters_dropped_total",
			Help: "Dead letters that were dropped."}),
	}
	dead := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "keg_dead_letters_total",
		Help: "Deliveries given up, by reason."}, []string{"reason"})
	for _, reason := range keg.Reasons() {
		m.died[reason] = dead.WithLabelValues(string(reason))
	}
	m.unknown = dead.WithLabelValues(other)
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "keg_build_info",
		Help: "1, for the version of the program that runs."}, []string{"version", "go_version"})
	build.WithLabelValues(valid(version), runtime.Version()).Set(1)
	m.registry.MustRegister(m.events, m.accept, m.deliveries, m.delivery, m.attempts, m.attempt, dead, m.replayed, m.dropped, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.entries.open = m.newEntry
	m.destinations.open = m.newDestination
	return m
}

func histogram(name, help string, label string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: durations}, []string{label})
}

// entrySeries are the series of one entry.
type entrySeries struct {
	outcomes [eventOutcomes]prometheus.Counter
	accept   prometheus.Observer
}

func (m *Metrics) newEntry(label string) *entrySeries {
	s := &entrySeries{accept: m.accept.WithLabelValues(label)}
	for o := range eventOutcomes {
		s.outcomes[o] = m.events.WithLabelValues(label, o.String())
	}
	return s
}

// destinationSeries are the series of one destination.
type destinationSeries struct {
	outcomes [deliveryOutcomes]prometheus.Counter
	delivery prometheus.Observer
	attempts [attemptOutcomes]prometheus.Counter
	attempt  prometheus.Observer
}

func (m *Metrics) newDestination(label string) *destinationSeries {
	s := &destinationSeries{delivery: m.delivery.WithLabelValues(label), attempt: m.attempt.WithLabelValues(label)}
	for o := range deliveryOutcomes {
		s.outcomes[o] = m.deliveries.WithLabelValues(label, o.String())
	}
	for o := range attemptOutcomes {
		s.attempts[o] = m.attempts.WithLabelValues(label, o.String())
	}
	return s
}

// valid is text that may be a label's value, which must be UTF-8.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
