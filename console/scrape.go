package console

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kong/keg"
	"github.com/kong/keg/hub"
	"github.com/kong/keg/outbox"
)

// maxScrapes bounds the scrapes that are answered at once.
const maxScrapes = 4

// handler shows the metrics, and with them what the node knows when asked. One
// that cannot be had keeps back no other.
func (m *Metrics) handler(n *Node, figures *statistics, log *slog.Logger) http.Handler {
	asked := prometheus.NewRegistry()
	asked.MustRegister(&gauges{node: n, figures: figures})
	return promhttp.HandlerFor(prometheus.Gatherers{m.registry, asked}, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
	})
}

// What is read when somebody asks.
var (
	backlogSize   = desc("keg_backlog_deliveries", "Stored deliveries that are owed, by route and destination.", "route", "destination", "dead_letter")
	backlogAge    = desc("keg_backlog_oldest_age_seconds", "Age of the oldest stored delivery that is owed; 0 where none is.", "route", "destination", "dead_letter")
	deadStored    = desc("keg_dead_letters_stored", "Dead letters in the store, by reason.", "reason")
	storeUp       = desc("keg_store_up", "1 while the store takes events, else 0.")
	storeBytes    = desc("keg_store_bytes", "What the store takes on disk; 0 where it cannot tell.")
	storeCutTails = desc("keg_store_cut_tails_total", "Damaged ends that recovery found in the store, and cut or set aside.")
	breakerState  = desc("keg_breaker_state", "State of the destination's breaker: 0 closed, 1 half-open, 2 open.", "destination")
	sourceUp      = desc("keg_source_up", "1 while events can come from the source, else 0.", "source")
	ready         = desc("keg_ready", "1 while /readyz answers 200, else 0.")
	lost          = desc("keg_lost_deliveries_total", "Deliveries under `ack: none` that failed and have no dead letter.")
	waiting       = desc("keg_background_waiting", "Records and log entries that wait in memory to be sent.")
	lostBehind    = desc("keg_background_lost_total", "Records and log entries that were to be sent in the background, and were lost.")
	panics        = desc("keg_panics_total", "Faults of KEG itself that were caught; the log describes each.")
	inFlight      = desc("keg_in_flight_deliveries", "Deliveries that are under way.")
	inFlightBytes = desc("keg_in_flight_bytes", "Bytes of the events whose deliveries are under way.")
	whenErrors    = desc("keg_when_errors_total", "Events for which a route's `when` ended in an error, and so did not match.", "route")
	routeCount    = desc("keg_routes", "Routes of the node's own table.")
	routesLoaded  = desc("keg_routes_loaded_timestamp_seconds", "When the node's route table was read.")
	routesFailing = desc("keg_routes_reload_failing", "1 while the last change of the routes file is not in use because it is wrong, else 0.")
	reloads       = desc("keg_routes_reloads_total", "Changes of the routes file, by whether they were taken in.", "outcome")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// gauges asks the node for what it has no counter for.
type gauges struct {
	node    *Node
	figures *statistics
}

// Describe tells nothing, for which metrics there are depends on the node.
func (*gauges) Describe(chan<- *prometheus.Desc) {}

func (g *gauges) Collect(out chan<- prometheus.Metric) {
	to := scrape(out)
	n := g.node
	g.store(to)
	state := map[Breaker]float64{Closed: 0, HalfOpen: 1, Open: 2}
	breakers := totals{}
	for _, d := range call(n.Destinations) {
		// Beyond the bound, the worst is told of all the others.
		l := breakers.place(labels{d.Label})
		breakers[l] = max(breakers[l], state[d.Breaker])
	}
	to.all(breakerState, prometheus.GaugeValue, breakers, 1)
	up := totals{}
	for _, s := range call(n.Sources) {
		up[up.place(labels{s.Name})] = number(s.Up)
	}
	to.all(sourceUp, prometheus.GaugeValue, up, 1)
	to.gauge(ready, number(len(n.unready()) == 0))
	if n.Hub != nil {
		g.hub(to, n.Hub())
	}
	if n.Background != nil {
		b := n.Background()
		to.gauge(waiting, float64(b.Waiting))
		to.counter(lostBehind, float64(b.Lost))
	}
	whens := totals{}
	for route, count := range call(n.WhenErrors) {
		whens[whens.place(labels{route})] += float64(count)
	}
	to.all(whenErrors, prometheus.CounterValue, whens, 1)
	if n.Routes != nil {
		g.routes(to, n.Routes())
	}
}

func (g *gauges) store(to scrape) {
	store := g.node.Store
	if store == nil {
		return
	}
	to.gauge(storeUp, number(store.Check() == nil))
	stats, err := g.figures.get(context.Background())
	if err != nil { // keg_store_up tells; figures that are not known are not shown
		return
	}
	to.gauge(storeBytes, float64(stats.Bytes))
	to.counter(storeCutTails, float64(stats.CutTails))
	for _, reason := range keg.Reasons() {
		to.gauge(deadStored, float64(stats.Dead[reason]), string(reason))
	}
	size, oldest := totals{}, totals{}
	for _, q := range stats.Queues {
		l := size.place(labelsOf(q.Queue))
		size[l] += float64(q.Waiting)
		oldest[l] = max(oldest[l], age(q.Oldest).Seconds())
	}
	to.all(backlogSize, prometheus.GaugeValue, size, 3)
	to.all(backlogAge, prometheus.GaugeValue, oldest, 3)
}

func (g *gauges) hub(to scrape, s hub.Stats) {
	to.counter(lost, float64(s.Lost))
	to.counter(panics, float64(s.Panics))
	to.gauge(inFlight, float64(s.InFlight))
	to.gauge(inFlightBytes, float64(s.InFlightBytes))
}

func (g *gauges) routes(to scrape, r Routes) {
	to.gauge(routeCount, float64(r.Routes))
	if !r.Loaded.IsZero() {
		to.gauge(routesLoaded, float64(r.Loaded.UnixMilli())/1000)
	}
	to.gauge(routesFailing, number(r.Error != ""))
	to.counter(reloads, float64(r.Reloads), "success")
	to.counter(reloads, float64(r.Failures), "failure")
}

// labels are up to three values.
type labels [3]string

// labelsOf leaves the scope out: a plugin's instances come and go.
func labelsOf(q outbox.Queue) labels {
	dead := "false"
	if q.DeadLetter {
		dead = "true"
	}
	return labels{valid(q.Route), valid(q.Destination), dead}
}

// totals are values by their labels, of which there are no more than
// [maxSeries]: what comes then is added up.
type totals map[labels]float64

func (t totals) place(l labels) labels {
	if _, ok := t[l]; ok || len(t) < maxSeries {
		return l
	}
	return labels{other, other, "false"}
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// scrape is where the metrics of one scrape go.
type scrape chan<- prometheus.Metric

func (s scrape) gauge(d *prometheus.Desc, value float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func (s scrape) counter(d *prometheus.Desc, value float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
}

// all sends values that have the first n labels.
func (s scrape) all(d *prometheus.Desc, kind prometheus.ValueType, values totals, n int) {
	for l, value := range values {
		for i := range l[:n] {
			l[i] = valid(l[i])
		}
		s <- prometheus.MustNewConstMetric(d, kind, value, l[:n]...)
	}
}
