package plugins

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/cloudevents"
	"github.com/kong/keg/hub"
	"github.com/kong/keg/kong/server"
	"github.com/kong/keg/router"
)

// eventRouterName is what kong.yml calls the plugin, and what logs and traces do.
const eventRouterName = "event-router"

// eventRouterConfig is one instance's config, as Kong keeps it.
type eventRouterConfig struct {
	Routes         json.RawMessage `kong:"routes" doc:"The routes of this plugin, as in routes.yaml. Without them it follows the route file of the node."`
	Ack            string          `kong:"ack" one_of:"delivered,stored,none" doc:"What a good answer promises. delivered: every destination has the event. stored: it is kept and will be delivered. none: it is on its way. The node's default where unset."`
	Timeout        int             `kong:"timeout" default:"10000" between:"1,55000" doc:"How long all attempts to deliver the events of one request may take, in milliseconds."`
	OnSuccess      string          `kong:"on_success" default:"respond" one_of:"respond,continue" doc:"Whether the plugin answers a request whose events are safe, or lets it go on to the upstream or to the next plugin. Failures are always answered."`
	EventType      string          `kong:"event_type" doc:"The type of events that are made of plain requests which name none themselves."`
	EventSource    string          `kong:"event_source" doc:"The source of events that are made of plain requests which name none themselves, a URI reference. The address of the request where unset."`
	ForwardHeaders []string        `kong:"forward_headers" doc:"The names of the request's headers that travel on with its events. No other one does."`
	MaxEventBytes  int64           `kong:"max_event_bytes" between:"1024,67108864" doc:"The largest body, and the largest event, in bytes. The limit of the node where unset."`

	types []keg.DestinationType
}

// JSONSchemas tells Kong's Admin API what routes may look like.
func (c *eventRouterConfig) JSONSchemas() map[string]any {
	return map[string]any{"routes": router.JSONSchema(c.types)}
}

// eventRouter is the plugin that makes events of requests and hands them to the
// hub. It runs behind authentication and before rate limits.
func eventRouter(o Options) server.Plugin {
	return server.Plugin{
		Name: eventRouterName, Version: o.Version, Priority: 950, Phases: []server.Phase{server.Access},
		Config: func() any { return &eventRouterConfig{types: o.Routes.Types} },
		Start: func(config any) (server.Instance, error) {
			return startEventRouter(o, config.(*eventRouterConfig))
		},
	}
}

// eventRouterInstance is one configuration at work.
type eventRouterInstance struct {
	port      *hub.Port
	events    cloudevents.Options
	goesOn    bool // on_success: continue
	log       *slog.Logger
	closeWith time.Duration
}

func startEventRouter(o Options, c *eventRouterConfig) (server.Instance, error) {
	table, err := ownRoutes(c.Routes, o.Routes)
	if err != nil {
		return nil, err
	}
	timeout := time.Duration(c.Timeout) * time.Millisecond
	port, err := o.Hub.Open(hub.PortOptions{
		Name: eventRouterName, Table: table, Ack: keg.Ack(c.Ack), Timeout: timeout, ForwardHeaders: c.ForwardHeaders,
	})
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	events := o.Events
	events.Type, events.Source = c.EventType, c.EventSource
	if c.MaxEventBytes > 0 {
		events.MaxBytes = c.MaxEventBytes
	}
	if events.MaxBytes <= 0 {
		events.MaxBytes = cloudevents.DefaultMaxBytes
	}
	return &eventRouterInstance{
		port: port, events: events, goesOn: c.OnSuccess == "continue",
		log: o.Log.With("plugin", eventRouterName), closeWith: 2*timeout + time.Second,
	}, nil
}

// ownRoutes compiles the routes of a config; nil where it has none.
func ownRoutes(text json.RawMessage, o router.Options) (*router.Table, error) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || string(text) == "null" {
		return nil, nil
	}
	table, err := router.ParseRoutes("config", text, o)
	if err == nil {
		return table, nil
	}
	var problems router.Errors
	if !errors.As(err, &problems) {
		return nil, fmt.Errorf("config.routes: %w", err)
	}
	// Kong keeps the config as one line of JSON, in which line and column tell
	// nobody anything; the path does.
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = configPath(p.Path) + ": " + p.Problem
	}
	return nil, errors.New(strings.Join(lines, "\n"))
}

// configPath is the path of a key of the routes within the config.
func configPath(path string) string {
	switch {
	case path == "" || strings.HasPrefix(path, "["):
		return "config.routes" + path
	default:
		return "config." + path
	}
}

// Close lets deliveries that nobody waits for end by themselves. It does not
// wait for them: Kong's worker waits for Close in the middle of a request. The
// hub does, when it closes.
func (r *eventRouterInstance) Close() error {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), r.closeWith)
		defer cancel()
		if err := r.port.Close(ctx); err != nil {
			r.log.Warn("an instance was closed before all of its deliveries had ended", "error", err)
		}
	}()
	return nil
}
