// Package plugins holds what Kong runs: each plugin's configuration, and how it
// turns a request into events and what became of them into an answer. It speaks
// to Kong through package server and to destinations through the hub, and does
// neither's work: it decides nothing about protocol, routing or retries.
//
// A plugin answers every request that it does not let go on. A failure that
// escaped it would be a bare 500, and a broken connection would make Kong run
// the request again.
package plugins

import (
	"log/slog"

	"github.com/kong/keg/cloudevents"
	"github.com/kong/keg/hub"
	"github.com/kong/keg/kong/server"
	"github.com/kong/keg/router"
)

// Options are the node that the plugins run in.
type Options struct {
	// Hub takes the events. To describe plugins, without starting them, none is
	// needed.
	Hub *hub.Hub
	// Routes is what a plugin's own routes are read with. Its Types are also
	// those that Kong's Admin API is told of.
	Routes router.Options
	// Events are the node's limits for events; a plugin may set its own.
	Events cloudevents.Options
	// Rejected, if not nil, is told by which plugin something came that is no
	// event, or that there was no room for, and why; by many goroutines at once.
	Rejected func(plugin string, err error)
	// Version is told to Kong.
	Version string
	Log     *slog.Logger
	// LogRoom holds what log phases leave behind; nil: one of these plugins' own,
	// which is never closed.
	LogRoom *LogRoom
}

// All returns every plugin.
func All(o Options) []server.Plugin {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Rejected == nil {
		o.Rejected = func(string, error) {}
	}
	if o.LogRoom == nil {
		o.LogRoom = NewLogRoom(o.Log)
	}
	return []server.Plugin{
		eventRouter(o),
		eventLog(o),
		kafkaUpstream(o),
		kafkaLog(o),
	}
}

// Names returns the names of all plugins.
func Names() []string {
	var names []string
	for _, p := range All(Options{}) {
		names = append(names, p.Name)
	}
	return names
}

// ByName returns the plugin of a name, and whether there is one.
func ByName(name string, o Options) (server.Plugin, bool) {
	for _, p := range All(o) {
		if p.Name == name {
			return p, true
		}
	}
	return server.Plugin{}, false
}
