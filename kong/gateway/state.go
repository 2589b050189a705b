package gateway

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/kong/keg/kong/gateway/declarative"
	"github.com/kong/keg/kong/gateway/pluginserver"
)

// state is what one configuration makes of the gateway. It is swapped as a
// whole; a request keeps the one that it began with. It is built when it is first
// used, so that many changes in a row cost little.
type state struct {
	config *declarative.Config
	build  func() error

	router  *router
	global  []*applied
	byRoute map[*declarative.Route][]*applied
}

// current is the state for a request.
func (g *Gateway) current() *state {
	s := g.state.Load()
	if err := s.build(); err != nil { // it was routable
		g.log.Error("the configuration cannot be used", "error", err)
	}
	return s
}

// use makes a configuration the current one. Instances of the old one are closed
// when their entities are used next.
func (g *Gateway) use(config *declarative.Config) error {
	s := g.newState(config)
	if err := s.build(); err != nil {
		return err
	}
	g.state.Store(s)
	return nil
}

func (g *Gateway) newState(config *declarative.Config) *state {
	s := &state{config: config, router: &router{}, byRoute: map[*declarative.Route][]*applied{}}
	s.build = sync.OnceValue(func() error {
		router, err := newRouter(config.Routes)
		if err != nil {
			return err
		}
		s.router = router
		places := g.places(config.Plugins)
		s.global = chain(places[""], nil)
		for _, route := range config.Routes {
			all := append(slices.Clone(places[""]), places[route.ID]...)
			if route.Service != nil {
				all = append(all, places[route.Service.ID]...)
			}
			s.byRoute[route] = chain(all, route)
		}
		return nil
	})
	return s
}

// places are the plugins that are on, by the id of the route, else the service,
// that they are applied to; "": everything. Those of a consumer are nowhere, since
// nobody can prove to be one.
func (g *Gateway) places(entities []*declarative.Plugin) map[string][]*applied {
	places := map[string][]*applied{}
	for _, entity := range entities {
		if !entity.Enabled || entity.Consumer != nil {
			continue
		}
		a := &applied{plugin: g.plugins[entity.Name], entity: entity, wire: pluginserver.Entity{
			ID: entity.ID, Seq: entity.Seq,
			Config: entity.PluginConfig(g.o.LookupEnv, func(reference string, err error) {
				g.log.Warn("a vault reference was not resolved; the plugin gets an empty text", "plugin", entity.Name, "reference", reference, "error", err)
			}),
		}}
		place := ""
		switch {
		case entity.Route != nil:
			place = entity.Route.ID
		case entity.Service != nil:
			place = entity.Service.ID
		}
		places[place] = append(places[place], a)
	}
	return places
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
