package plugins

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/answer"
	"github.com/kong/keg/cloudevents"
	"github.com/kong/keg/hub"
	"github.com/kong/keg/kong/server"
	"github.com/kong/keg/webhooks"
)

// eventRouterName is what kong.yml calls the plugin, and what logs and traces do.
const eventRouterName = "event-router"

// eventRouter is the plugin that makes events of requests and hands them to the
// hub. It runs behind authentication and before rate limits.
func eventRouter(o Options) server.Plugin {
	o.Log = o.Log.With("plugin", eventRouterName)
	refusals := answer.NewRefusals(o.Log) // of all instances together
	return server.Plugin{
		Name: eventRouterName, Version: o.Version, Priority: 950, Phases: []server.Phase{server.Access},
		Config: func() any { return &eventRouterConfig{types: o.Routes.Types} },
		Start: func(config any) (server.Instance, error) {
			return startEventRouter(o, config.(*eventRouterConfig), refusals)
		},
	}
}

// scopeOf tells routes apart where Kong gives no id: by what they are.
func scopeOf(routes []byte) string {
	sum := sha256.Sum256(routes)
	return hex.EncodeToString(sum[:8])
}

// eventRouterInstance is one configuration at work.
type eventRouterInstance struct {
	port      *hub.Port
	events    cloudevents.Options
	verifier  *webhooks.Verifier // nil: whoever sends is believed
	handshake *handshakeConfig   // nil: OPTIONS is a request like any other
	knows     knowledge
	goesOn    bool // on_success: continue
	log       *slog.Logger
	refusals  *answer.Refusals
	rejected  func(plugin string, err error)
	closeWith time.Duration
}

func startEventRouter(o Options, c *eventRouterConfig, refusals *answer.Refusals) (server.Instance, error) {
	table, err := tableOf(c.Routes, c.Secrets, o.Routes)
	verifier, unverified := c.Verify.verifier()
	timeout := time.Duration(c.Timeout) * time.Millisecond
	port := hub.PortOptions{
		Name: eventRouterName, Table: table, Scope: cmp.Or(c.PluginID, scopeOf(c.Routes)), Ack: keg.Ack(c.Ack), Timeout: timeout,
		Dedupe: time.Duration(c.Dedupe) * time.Second, ForwardHeaders: c.ForwardHeaders,
	}
	if err := errors.Join(err, below("config.", o.Hub.Validate(port)), below("config.verify.", unverified), c.requestProblems()); err != nil {
		return nil, err
	}
	opened, err := o.Hub.Open(port)
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
		port: opened, events: events, goesOn: c.OnSuccess == "continue",
		verifier: verifier, handshake: c.Handshake, knows: knowledgeOf(c.Attributes),
		log: o.Log, refusals: refusals, rejected: o.Rejected, closeWith: 2*timeout + time.Second,
	}, nil
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
