package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/cloudevents"
	"github.com/kong/keg/console"
	"github.com/kong/keg/hub"
	"github.com/kong/keg/kong/server"
	"github.com/kong/keg/plugins"
	"github.com/kong/keg/router"
	"github.com/kong/keg/sinks"
	"github.com/kong/keg/sources"
)

// drainTime is how long a node waits for what is under way when it is told to
// stop. It is longer than the ten seconds that a request has by default.
const drainTime = 15 * time.Second

// node is one running KEG: the hub over its sinks and its store, the ways in, and
// what it tells of itself.
type node struct {
	log      *slog.Logger
	pool     *sinks.Pool
	hub      *hub.Hub
	storeAt  storeURL
	maxKept  int64      // bytes of the embedded store; 0: no bound
	store    *lateStore // nil: nothing is kept
	socket   string     // of the plugin server
	server   *server.Server
	logRoom  *plugins.LogRoom // what log phases have left behind
	sources  []source
	declared []keg.SourceConfig // by the routes file at the start
	routes   *reloader          // nil where the routes are of no file
	metrics  *console.Metrics
	console  *console.Server // nil: it is off
	phase    atomic.Value    // of console.Phase
}

// source is a way in beside Kong, with its own port into the hub.
type source struct {
	keg.SourceConfig
	keg.Source
	port *hub.Port
}

// observers are told what happens; any may be nil.
type observers struct {
	event     func(hub.Trace)                                              // each event
	attempted func(label string, e *keg.Event, d time.Duration, err error) // each attempt at a stored delivery
	listening func(keg.SourceConfig, net.Addr)                             // each source when it listens
	status    func(net.Addr)                                               // the status listener
}

// newNode wires a node, and neither dials nor opens the store.
func newNode(c nodeConfig, log *slog.Logger, o observers) (*node, error) {
	n := &node{log: log, pool: sinks.NewPool(log), logRoom: plugins.NewLogRoom(log), socket: c.socket, storeAt: c.storeAt, maxKept: c.maxKept, declared: c.table.Sources(), metrics: console.NewMetrics(release())}
	n.phase.Store(console.Starting)
	options := hub.Options{
		Sinks: n.pool, Log: log, MaxInFlight: c.maxInFlight, Watch: nodeWatch{n.metrics, c.persist, o.attempted},
		Observe: func(t hub.Trace) {
			n.metrics.ObserveEvent(t)
			if o.event != nil {
				o.event(t)
			}
		},
	}
	if c.persist {
		n.store = newLateStore()
		options.Store = n.store
	}
	n.hub = hub.New(options)
	circles := circles{c.sources, log}
	if c.tabled { // without a file, what is stored for the node's routes waits until there is one
		if err := errors.Join(circles.check(c.table), n.hub.SetTable(c.table)); err != nil {
			return nil, misuse(err)
		}
	}
	if c.routes != nil {
		n.routes = newReloader(c.routes, c.table, c.hup, func(t *router.Table) error { return n.swap(circles, t) }, log)
	}
	events := cloudevents.Options{MaxBytes: c.maxEventBytes}
	for _, config := range c.sources {
		s, err := sources.Open(config, sources.Options{
			Events: events, Log: log, Ready: o.listening,
			Rejected: func(c keg.SourceConfig, err error) { n.metrics.Rejected(c.Name, err) },
		})
		if err != nil {
			return nil, misuse(fmt.Errorf("source %s: %w", config.Name, err))
		}
		port, err := n.hub.Open(hub.PortOptions{
			Name: config.Name, Ack: config.Ack, Timeout: config.Timeout, Dedupe: config.Dedupe, ForwardHeaders: config.ForwardHeaders,
		})
		if err != nil {
			return nil, misuse(fmt.Errorf("source %s: %w", config.Name, err))
		}
		n.sources = append(n.sources, source{config, s, port})
	}
	if c.statusListen != "" {
		n.console = &console.Server{Listen: c.statusListen, Node: n.tell(), Metrics: n.metrics, Log: log, Ready: o.status}
	}
	var err error
	n.server, err = server.New(server.Options{
		Socket: c.socket, Log: log,
		Plugins: plugins.All(plugins.Options{
			Hub: n.hub, Routes: c.routerOptions(), Events: events, Version: pluginVersion(), Log: log, Rejected: n.metrics.Rejected,
			LogRoom: n.logRoom,
		}),
	})
	return n, misuse(err)
}

// listen takes the plugin server's socket, for Kong to connect to.
func (n *node) listen() error {
	err := n.server.Listen()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%w\nThere is no folder %s: make it, or choose another place with --socket (KEG_SOCKET)", err, filepath.Dir(n.socket))
	case errors.Is(err, fs.ErrPermission):
		err = fmt.Errorf("%w\nRun keg as the user that owns %s, or choose another place with --socket (KEG_SOCKET)", err, filepath.Dir(n.socket))
	}
	return misuse(err)
}

// swap makes a new table the node's. Its sources are those of the start: they
// hold connections and offsets, and change with a restart.
func (n *node) swap(c circles, t *router.Table) error {
	if err := c.check(t); err != nil {
		return err
	}
	if err := n.hub.SetTable(t); err != nil {
		return err
	}
	if !sameSources(n.declared, t.Sources()) {
		n.log.Warn("`sources` of the routes file have changed; the ones from the start run on until KEG is started again")
	}
	return nil
}

func sameSources(a, b []keg.SourceConfig) bool {
	strip := func(all []keg.SourceConfig) []keg.SourceConfig {
		all = append([]keg.SourceConfig(nil), all...)
		for i := range all {
			all[i].Line = 0
		}
		return all
	}
	return reflect.DeepEqual(strip(a), strip(b))
}
