package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kong/keg/kong/gateway/declarative"
	"github.com/kong/keg/kong/gateway/pluginserver"
)

// plugin is one plugin that is enabled.
type plugin struct {
	name     string
	version  string
	priority int
	phases   []string
	schema   *declarative.Schema
	raw      []byte // the schema as the plugin wrote it
	socket   string // "" for the bundled one
	remote   *pluginserver.Plugin
}

// loadPlugins runs the query commands and reads the schemas.
func (g *Gateway) loadPlugins() error {
	g.plugins = map[string]*plugin{}
	g.loader = &declarative.Loader{Schemas: map[string]*declarative.Schema{}}
	var errs []error
	add := func(p *plugin) {
		schema, err := declarative.ParseSchema(p.raw)
		if err != nil {
			errs = append(errs, fmt.Errorf("plugin %s: %w", p.name, err))
			return
		}
		p.schema = schema
		g.plugins[p.name] = p
		g.loader.Schemas[p.name] = schema
	}
	add(&plugin{name: "request-termination", version: Version, priority: 2, phases: []string{"access"}, raw: []byte(declarative.RequestTermination)})
	for _, s := range g.o.PluginServers {
		if g.plugins[s.Name] != nil {
			errs = append(errs, fmt.Errorf("plugin server %s: there is a plugin of that name already", s.Name))
			continue
		}
		info, err := g.query(s)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		g.servers = append(g.servers, s)
		add(&plugin{name: s.Name, version: info.Version, priority: *info.Priority, phases: info.Phases, raw: info.Schema, socket: s.Socket})
	}
	return errors.Join(errs...)
}

func (g *Gateway) query(s PluginServer) (*pluginserver.Info, error) {
	switch {
	case len(s.Dump) > 0:
		return pluginserver.ReadDump(s.Name, s.Dump)
	case len(s.QueryCmd) > 0:
		return pluginserver.Query(context.Background(), s.Name, s.QueryCmd, g.log)
	default:
		return nil, fmt.Errorf("plugin server %s: it has no query command, so that nobody knows its plugin", s.Name)
	}
}

// connect makes the plugins' ends, now that the prefix is known.
func (g *Gateway) connect(prefix string) {
	for _, s := range g.servers {
		p := g.plugins[s.Name]
		socket := s.Socket
		if socket == "" {
			socket = filepath.Join(prefix, s.Name+".socket")
		}
		p.remote = pluginserver.NewPlugin(p.name, socket, g.o.Workers, g.sockets, g.log)
	}
}

// applied is one plugin with one of its configurations.
type applied struct {
	*plugin
	entity *declarative.Plugin
	wire   pluginserver.Entity
}

func (a *applied) has(phase string) bool { return slices.Contains(a.phases, phase) }

// state is what one configuration makes of the gateway. It is swapped as a
// whole; a request keeps the one that it began with.
type state struct {
	config  *declarative.Config
	router  *router
	global  []*applied
	byRoute map[*declarative.Route][]*applied
}

// use makes a configuration the current one. Instances of the old one are closed
// when their entities are used next.
func (g *Gateway) use(config *declarative.Config) error {
	router, err := newRouter(config.Routes)
	if err != nil {
		return err
	}
	s := &state{config: config, router: router, byRoute: map[*declarative.Route][]*applied{}}
	var all []*applied
	for _, entity := range config.Plugins {
		if entity.Enabled {
			all = append(all, &applied{plugin: g.plugins[entity.Name], entity: entity, wire: pluginserver.Entity{
				ID: entity.ID, Seq: entity.Seq,
				Config: entity.PluginConfig(g.o.LookupEnv, func(reference string, err error) {
					g.log.Warn("a vault reference was not resolved; the plugin gets an empty text", "plugin", entity.Name, "reference", reference, "error", err)
				}),
			}})
		}
	}
	s.global = chain(all, nil)
	for _, route := range config.Routes {
		s.byRoute[route] = chain(all, route)
	}
	g.state.Store(s)
	return nil
}

// chain is the plugins that run on a route (nil: where there is none), in order.
// Of several configurations of a plugin the one that says most is taken: for
// route and service, for the route, for the service, for everything.
func chain(all []*applied, route *declarative.Route) []*applied {
	best := map[string]*applied{}
	rank := func(a *applied) int {
		r := 0
		if a.entity.Route != nil {
			r += 2
		}
		if a.entity.Service != nil {
			r++
		}
		return r
	}
	for _, a := range all {
		e := a.entity
		if e.Route != nil && e.Route != route || e.Service != nil && (route == nil || e.Service != route.Service) {
			continue
		}
		if !slices.Contains(e.Protocols, "http") {
			continue
		}
		if before := best[a.name]; before == nil || rank(a) > rank(before) {
			best[a.name] = a
		}
	}
	return slices.SortedFunc(maps.Values(best), func(a, b *applied) int {
		if a.priority != b.priority {
			return b.priority - a.priority
		}
		return strings.Compare(b.name, a.name) // Kong's order of equals
	})
}
