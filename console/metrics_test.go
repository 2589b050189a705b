package console

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kong/keg"
	"github.com/kong/keg/hub"
	"github.com/kong/keg/outbox"
	"github.com/kong/keg/test/logtest"
)

var update = flag.Bool("update", false, "write testdata/metrics.txt")

// whole is a node that has everything.
func whole(t *testing.T) *Node {
	return &Node{
		Version: "1.2.3", Store: filled(t, 2),
		Hub: func() hub.Stats { return hub.Stats{Lost: 1, Panics: 2, InFlight: 3, InFlightBytes: 4} },
		Destinations: func() []Destination {
			return []Destination{{Label: "kafka://a/b", Breaker: Closed}, {Label: "http://c/", Breaker: Open}, {Label: "http://c/", Breaker: HalfOpen}}
		},
		Sources: func() []Source { return []Source{{Name: "http://127.0.0.1:8080", Up: true}, {Name: "mqtt://m:1"}} },
		Routes: func() Routes {
			return Routes{Routes: 7, Loaded: time.Unix(1000, 0), Reloads: 5, Failures: 6, Error: "x"}
		},
		WhenErrors: func() map[string]uint64 { return map[string]uint64{"orders": 9} },
		Background: func() Background { return Background{Waiting: 10, Lost: 11} },
	}
}

// touched are metrics of which every series has been seen.
func touched() *Metrics {
	m := NewMetrics("1.2.3")
	m.ObserveEvent(hub.Trace{Entry: "http", Took: time.Second, Receipt: keg.Receipt{Ack: keg.AckDelivered, Routes: []string{"r"},
		Deliveries: []keg.Delivery{{Destination: &keg.Destination{Name: "d"}, Took: time.Second}}}})
	m.Attempted(outbox.Queue{}, "d", time.Millisecond, nil)
	return m
}

func (m *Metrics) all(n *Node) prometheus.Gatherer {
	asked := prometheus.NewPedanticRegistry()
	asked.MustRegister(&gauges{n, &statistics{store: n.Store}})
	return prometheus.Gatherers{m.registry, asked}
}

func TestMetricsAreNamedAsPrometheusWants(t *testing.T) {
	problems, err := testutil.GatherAndLint(touched().all(whole(t)))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p.Metric, p.Text)
	}
}

// The names are a promise: dashboards and alerts are made of them.
func TestMetricsKeepTheirNames(t *testing.T) {
	families, err := touched().all(whole(t)).Gather()
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for _, f := range families {
		if name := f.GetName(); strings.HasPrefix(name, "keg_") {
			var labels []string
			for _, l := range f.GetMetric()[0].GetLabel() {
				labels = append(labels, l.GetName())
			}
			fmt.Fprintf(&lines, "%s\t%s\t%s\t%s\n", name, strings.ToLower(f.GetType().String()), strings.Join(labels, ","), f.GetHelp())
		} else if !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("%s is neither keg's, nor Go's, nor the process's", name)
		}
	}
	if *update {
		if err := os.WriteFile("testdata/metrics.txt", []byte(lines.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got := lines.String(); got != string(want) {
		t.Errorf("the names are\n%s\nand were\n%s\nIf that is meant: go test -run KeepTheirNames -update", got, want)
	}
}

func TestWhatANodeKnowsIsScraped(t *testing.T) {
	address, _ := start(t, &Server{Node: whole(t), Metrics: touched()})
	got := ask(t, "GET", "http://"+address+"/metrics", "")
	if got.status != 200 || !strings.HasPrefix(got.kind, "text/plain") {
		t.Fatalf("%+v", got)
	}
	for _, line := range []string{
		`keg_backlog_deliveries{dead_letter="false",destination="kafka://kafka:9092/orders",route="orders"} 5`,
		`keg_backlog_oldest_age_seconds{dead_letter="false",destination="kafka://kafka:9092/orders",route="orders"} 6\d\..*`,
		`keg_breaker_state{destination="http://c/"} 2`,
		`keg_breaker_state{destination="kafka://a/b"} 0`,
		`keg_build_info{go_version="go.*",version="1.2.3"} 1`,
		`keg_dead_letters_stored{reason="exhausted"} 2`,
		`keg_dead_letters_stored{reason="undecodable"} 0`,
		`keg_dead_letters_total{reason="expired"} 0`,
		`keg_in_flight_bytes 4`, `keg_in_flight_deliveries 3`, `keg_lost_deliveries_total 1`, `keg_panics_total 2`,
		`keg_ready 1`, `keg_routes 7`, `keg_routes_loaded_timestamp_seconds 1000`, `keg_routes_reload_failing 1`,
		`keg_routes_reloads_total{outcome="failure"} 6`, `keg_routes_reloads_total{outcome="success"} 5`,
		`keg_source_up{source="http://127.0.0.1:8080"} 1`, `keg_source_up{source="mqtt://m:1"} 0`,
		`keg_store_bytes 4096`, `keg_store_cut_tails_total 1`, `keg_store_up 1`, `keg_when_errors_total{route="orders"} 9`,
		`go_goroutines .*`, `process_start_time_seconds .*`,
	} {
		pattern := strings.NewReplacer("{", `\{`, "}", `\}`).Replace(line)
		if !regexp.MustCompile("(?m)^" + pattern + "$").MatchString(got.body) {
			t.Errorf("no line %s", line)
		}
	}
	if t.Failed() {
		t.Log(got.body)
	}
}

func TestAStoreThatCannotCountKeepsBackNothingElse(t *testing.T) {
	node := whole(t)
	node.Store.(*memory).fail(&outbox.UnavailableError{Problem: "away"})
	var log logtest.Log
	address, _ := start(t, &Server{Node: node, Metrics: touched(), Log: log.Logger()})
	got := ask(t, "GET", "http://"+address+"/metrics", "")
	for line, want := range map[string]bool{"keg_store_up 0\n": true, "keg_ready 0\n": true, "keg_routes 7\n": true, "keg_store_bytes": false, "keg_backlog": false} {
		if strings.Contains(got.body, line) != want {
			t.Errorf("%q: %t is wrong", line, !want)
		}
	}
}

func TestEveryOutcomeIsCountedOnce(t *testing.T) {
	m := NewMetrics("1")
	destination := &keg.Destination{Name: "orders"}
	delivery := func(err error, dead bool) keg.Delivery {
		return keg.Delivery{Destination: destination, Err: err, DeadLettered: dead, Took: time.Second}
	}
	routes := []string{"r"}
	for want, r := range map[eventOutcome]keg.Receipt{
		eventDelivered:   {Ack: keg.AckDelivered, Routes: routes, Deliveries: []keg.Delivery{delivery(nil, false)}},
		eventStored:      {Ack: keg.AckStored, Routes: routes},
		eventAccepted:    {Ack: keg.AckNone, Routes: routes, Deliveries: []keg.Delivery{delivery(errors.New("x"), false), delivery(nil, false)}},
		eventUnmatched:   {Ack: keg.AckStored},
		eventDuplicate:   {Ack: keg.AckStored, Routes: routes, Duplicate: true},
		eventInvalid:     {Err: &keg.InvalidError{}},
		eventTooLarge:    {Err: &keg.TooLargeError{}},
		eventUnsupported: {Err: &keg.UnsupportedError{}},
		eventUnrouted:    {Err: &keg.UnroutedError{}},
		eventSchema:      {Err: &keg.SchemaError{}},
		eventLoop:        {Err: &keg.LoopError{}},
		eventBusy:        {Err: &keg.BusyError{}},
		eventUnavailable: {Err: &outbox.UnavailableError{}},
		eventRefused:     {Err: fmt.Errorf("at d: %w", keg.Permanent(errors.New("x"))), Deliveries: []keg.Delivery{delivery(errors.New("x"), true)}},
		eventTimeout:     {Err: context.DeadlineExceeded, Deliveries: []keg.Delivery{delivery(errors.New("x"), false)}},
		eventFailed:      {Err: errors.New("x")},
	} {
		m.ObserveEvent(hub.Trace{Entry: "http", Receipt: r, Took: time.Millisecond})
		if got := testutil.ToFloat64(m.events.WithLabelValues("http", want.String())); got != 1 {
			t.Errorf("%s was counted %v times", want, got)
		}
	}
	if n := testutil.CollectAndCount(m.events); n != int(eventOutcomes) {
		t.Errorf("%d series of events", n)
	}
	for want, err := range map[attemptOutcome]error{
		attemptTaken: nil, attemptRefused: keg.Permanent(errors.New("x")), attemptRetryAfter: keg.RetryAfter(errors.New("x"), 0),
		attemptUnreachable: keg.Unreachable(errors.New("x")), attemptTimeout: context.DeadlineExceeded, attemptCanceled: context.Canceled, attemptFailed: errors.New("x"),
	} {
		m.Attempted(outbox.Queue{}, "orders", time.Millisecond, err)
		if got := testutil.ToFloat64(m.attempts.WithLabelValues("orders", want.String())); got != 1 {
			t.Errorf("%s was counted %v times", want, got)
		}
	}
	for _, o := range []outbox.Outcome{outbox.Done, outbox.Again, outbox.Return, outbox.Dead} {
		m.Settled(outbox.Queue{}, "orders", o, keg.ReasonExpired, time.Hour)
	}
	m.Died(keg.ReasonUndecodable)
	m.Died("bored")
	m.Rejected("http", &keg.InvalidError{})
	for name, check := range map[string]struct {
		got  prometheus.Collector
		want float64
	}{
		"delivered":   {m.deliveries.WithLabelValues("orders", "delivered"), 3},
		"failed":      {m.deliveries.WithLabelValues("orders", "failed"), 1},
		"lost":        {m.deliveries.WithLabelValues("orders", "lost"), 1},
		"dead letter": {m.deliveries.WithLabelValues("orders", "dead_letter"), 2},
		"expired":     {m.died[keg.ReasonExpired], 1},
		"undecodable": {m.died[keg.ReasonUndecodable], 1},
		"unknown":     {m.unknown, 1},
		"rejected":    {m.events.WithLabelValues("http", "invalid"), 2},
	} {
		if got := testutil.ToFloat64(check.got); got != check.want {
			t.Errorf("%s: %v, want %v", name, got, check.want)
		}
	}
}

// Routes that change for ever must not fill the memory, nor the scraper's.
func TestLabelsAreBounded(t *testing.T) {
	m := NewMetrics("1")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 2 * maxByDestination {
				d := &keg.Destination{Name: fmt.Sprintf("\xffd-%d", i%(3*maxSeries))}
				m.ObserveEvent(hub.Trace{Entry: "http", Receipt: keg.Receipt{Deliveries: []keg.Delivery{{Destination: d}}}})
			}
		})
	}
	all.Wait()
	if n := testutil.CollectAndCount(m.delivery); n != maxSeries+1 {
		t.Errorf("%d destinations", n)
	}
	count := 0
	m.byDestination.Range(func(any, any) bool { count++; return true })
	if count > maxByDestination+8 {
		t.Errorf("%d destinations are held", count)
	}
	var sum float64
	for i := range maxSeries * 3 {
		name := valid(fmt.Sprintf("\xffd-%d", i))
		if series := m.destinations.byLabel.Load(); (*series)["\xffd-"+fmt.Sprint(i)] != nil {
			sum += testutil.ToFloat64(m.deliveries.WithLabelValues(name, "delivered"))
		}
	}
	if sum += testutil.ToFloat64(m.deliveries.WithLabelValues(other, "delivered")); sum != 8*maxByDestination {
		t.Errorf("%v of %d deliveries were counted", sum, 8*maxByDestination)
	}
	node := &Node{WhenErrors: func() map[string]uint64 {
		many := map[string]uint64{}
		for i := range 3 * maxSeries {
			many[fmt.Sprint(i)] = 1
		}
		return many
	}}
	got := 0.0
	families, err := m.all(node).Gather()
	for _, f := range families {
		if f.GetName() == "keg_when_errors_total" {
			if len(f.GetMetric()) > maxSeries+1 {
				t.Errorf("%d routes", len(f.GetMetric()))
			}
			for _, s := range f.GetMetric() {
				got += s.GetCounter().GetValue()
			}
		}
	}
	if err != nil || got != 3*maxSeries {
		t.Errorf("%v of %d errors were counted: %v", got, 3*maxSeries, err)
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	m := NewMetrics("1")
	trace := oneDelivery()
	if n := testing.AllocsPerRun(100, func() {
		m.ObserveEvent(trace)
		m.Attempted(outbox.Queue{}, "kafka://kafka:9092/orders", time.Millisecond, nil)
		m.Settled(outbox.Queue{}, "kafka://kafka:9092/orders", outbox.Done, "", time.Second)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func oneDelivery() hub.Trace {
	return hub.Trace{Entry: "event-router", Took: 3 * time.Millisecond, Receipt: keg.Receipt{
		Ack: keg.AckDelivered, Routes: []string{"orders"},
		Deliveries: []keg.Delivery{{Destination: &keg.Destination{Name: "orders"}, Attempts: 1, Took: 2 * time.Millisecond}},
	}}
}

// BenchmarkEvent is what the metrics of one event with one delivery cost.
func BenchmarkEvent(b *testing.B) {
	m, trace := NewMetrics("1"), oneDelivery()
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			m.ObserveEvent(trace)
			m.Attempted(outbox.Queue{}, "kafka://kafka:9092/orders", 2*time.Millisecond, nil)
		}
	})
}

func BenchmarkSettled(b *testing.B) {
	m := NewMetrics("1")
	b.ReportAllocs()
	for b.Loop() {
		m.Settled(outbox.Queue{}, "kafka://kafka:9092/orders", outbox.Done, "", time.Second)
	}
}
