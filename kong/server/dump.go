package server

import (
	"encoding/json"
	"fmt"

	"github.com/kong/keg/kong/schema"
)

// description is what Kong's query command must print; Kong reads one plugin
// of it.
type description struct {
	Protocol   string
	SocketPath string
	Plugins    []pluginDescription
}

type pluginDescription struct {
	Name     string
	Version  string
	Priority int
	Phases   []Phase
	Schema   *schema.Plugin
}

// Dump returns the document that the plugin's query command prints: what Kong
// must know of it, with the socket that it is served on. A program prints it
// and nothing else on standard output.
func Dump(p Plugin, socket string) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	described, err := pluginSchema(&p)
	if err != nil {
		return nil, err
	}
	return json.Marshal(description{
		Protocol:   "ProtoBuf:1",
		SocketPath: socket,
		Plugins: []pluginDescription{{
			Name: p.Name, Version: p.Version, Priority: p.Priority, Phases: p.Phases, Schema: described,
		}},
	})
}

func pluginSchema(p *Plugin) (*schema.Plugin, error) {
	described, err := schema.Of(p.Name, p.Config())
	if err != nil {
		return nil, fmt.Errorf("plugin %q: %w", p.Name, err)
	}
	return described, nil
}
