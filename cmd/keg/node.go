package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/kong/keg"
	"github.com/kong/keg/cloudevents"
	"github.com/kong/keg/hub"
	"github.com/kong/keg/kong/server"
	"github.com/kong/keg/plugins"
	"github.com/kong/keg/sinks"
	"github.com/kong/keg/sources"
)

// drainTime is how long a node waits for what is under way when it is told to
// stop. It is longer than the ten seconds that a request has by default.
const drainTime = 15 * time.Second

// node is one running KEG: the hub over its sinks, and the ways in.
type node struct {
	log     *slog.Logger
	pool    *sinks.Pool
	hub     *hub.Hub
	socket  string // of the plugin server
	server  *server.Server
	sources []source
	routes  *reloader // nil where the routes are of no file
}

// source is a way in beside Kong, with its own port into the hub.
type source struct {
	keg.SourceConfig
	keg.Source
	port *hub.Port
}

// newNode wires a node and dials nothing. observe, which may be nil, is called for
// each event; listening, for each source when it listens.
func newNode(c nodeConfig, log *slog.Logger, observe func(hub.Trace), listening func(keg.SourceConfig, net.Addr)) (*node, error) {
	n := &node{log: log, pool: sinks.NewPool(log), socket: c.socket}
	n.hub = hub.New(hub.Options{Sinks: n.pool, Log: log, MaxInFlight: c.maxInFlight, Observe: observe})
	if err := n.hub.SetTable(c.table); err != nil {
		return nil, misuse(err)
	}
	if c.routes != nil {
		n.routes = newReloader(c.routes, c.table, c.hup, n.hub.SetTable, log)
	}
	events := cloudevents.Options{MaxBytes: c.maxEventBytes}
	for _, config := range c.sources {
		s, err := sources.Open(config, sources.Options{Events: events, Log: log, Ready: listening})
		if err != nil {
			return nil, misuse(err)
		}
		port, err := n.hub.Open(hub.PortOptions{Name: config.Type})
		if err != nil {
			return nil, misuse(err)
		}
		n.sources = append(n.sources, source{config, s, port})
	}
	var err error
	n.server, err = server.New(server.Options{
		Socket: c.socket, Log: log,
		Plugins: plugins.All(plugins.Options{
			Hub: n.hub, Routes: c.routerOptions(), Events: events, Version: pluginVersion(), Log: log,
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

// run serves until ctx ends or a way in fails, then stops in order: the ways in
// take no more and let what is under way end, then the hub, then the sinks.
func (n *node) run(ctx context.Context) error {
	ways, ctx := errgroup.WithContext(ctx)
	ways.Go(func() error {
		if err := n.server.Serve(ctx); err != nil {
			return fmt.Errorf("plugin server: %w", err)
		}
		return nil
	})
	for _, s := range n.sources {
		ways.Go(func() error { return n.runSource(ctx, s) })
	}
	if n.routes != nil {
		ways.Go(func() error { n.routes.run(ctx); return nil })
	}
	err := ways.Wait()
	return errors.Join(err, n.close())
}

// runSource runs one source until ctx ends. An address that is in use fails it,
// but for that of the keg that this one replaces: while Kong reloads, both run,
// and the one before holds its addresses until it has ended.
func (n *node) runSource(ctx context.Context, s source) error {
	waits := rate.Sometimes{Interval: time.Minute}
	for {
		err := s.Run(ctx, s.port)
		switch {
		case err == nil:
			return nil
		case !n.server.TookOver() || !errors.Is(err, syscall.EADDRINUSE):
			return fmt.Errorf("source %s: %w", s.Name, err)
		}
		waits.Do(func() {
			n.log.Warn("a source waits for its address, which the keg serve before this one still holds; "+
				"if Kong is not reloading, two are running: stop one, or give it another --socket and address", "source", s.Name)
		})
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// close gives everything back, within drainTime.
func (n *node) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	err := n.hub.Close(ctx)
	return errors.Join(err, n.pool.Close())
}
