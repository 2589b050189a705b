package gateway

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

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
	g.loader = &declarative.Loader{Schemas: map[string]*declarative.Schema{}, ReadOnly: !g.o.AdminWritable}
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
