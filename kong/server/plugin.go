package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Plugin is one plugin that Kong can be told of. A value is not changed once a
// server has it.
type Plugin struct {
	Name    string // as kong.conf lists it
	Version string
	// Priority orders plugins in a request, high first.
	Priority int
	// Phases are those that every instance of the plugin implements.
	Phases []Phase
	// Config returns a pointer to a struct tagged for package schema: what one
	// instance's config is decoded into.
	Config func() any
	// Start makes an instance of a config, which is what Config returned, decoded
	// and checked. It must not dial. Its error is logged and must hold no
	// secret; Kong answers 500 until the config has been mended.
	Start func(config any) (Instance, error)
}

// Instance is one configuration of a plugin. It implements the interface of
// each of its plugin's phases, and may be called by many goroutines at once.
type Instance interface {
	// Close is called once, after the instance's last event has ended.
	Close() error
}

// Phase is a stage of a request, spelled as Kong spells it.
type Phase string

// The phases that Kong hands to a plugin server.
const (
	Certificate Phase = "certificate"
	Rewrite     Phase = "rewrite"
	Access      Phase = "access"
	Response    Phase = "response" // makes Kong buffer the upstream's answer
	Preread     Phase = "preread"
	Log         Phase = "log"
)

// An instance implements the interface of each phase that its plugin declares.
// A phase returns nil to let the request go on, or after [Call.Exit]. An error
// or a panic is logged and gives the client a 500, where the phase allows an
// answer. The context ends when the event has taken too long, or when the
// server has to stop; it does not end when the client goes away, which Kong
// does not tell.
type (
	// Certificater handles the certificate phase.
	Certificater interface {
		Certificate(ctx context.Context, c *Call) error
	}
	// Rewriter handles the rewrite phase.
	Rewriter interface {
		Rewrite(ctx context.Context, c *Call) error
	}
	// Accesser handles the access phase.
	Accesser interface {
		Access(ctx context.Context, c *Call) error
	}
	// Responser handles the response phase.
	Responser interface {
		Response(ctx context.Context, c *Call) error
	}
	// Prereader handles the preread phase.
	Prereader interface {
		Preread(ctx context.Context, c *Call) error
	}
	// Logger handles the log phase.
	Logger interface {
		Log(ctx context.Context, c *Call) error
	}
)

type handler func(ctx context.Context, c *Call) error

// handlerOf returns the method of i that handles phase, nil where it has none.
func handlerOf(i Instance, phase Phase) handler {
	switch phase {
	case Certificate:
		if h, ok := i.(Certificater); ok {
			return h.Certificate
		}
	case Rewrite:
		if h, ok := i.(Rewriter); ok {
			return h.Rewrite
		}
	case Access:
		if h, ok := i.(Accesser); ok {
			return h.Access
		}
	case Response:
		if h, ok := i.(Responser); ok {
			return h.Response
		}
	case Preread:
		if h, ok := i.(Prereader); ok {
			return h.Preread
		}
	case Log:
		if h, ok := i.(Logger); ok {
			return h.Log
		}
	}
	return nil
}

// answerable reports whether a plugin may end the request in this phase.
func (p Phase) answerable() bool {
	return p == Rewrite || p == Access || p == Response
}

var phases = []Phase{Certificate, Rewrite, Access, Response, Preread, Log}

// check reports all that is wrong with the plugin, joined.
func (p *Plugin) check() error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("plugin %q: %s", p.Name, fmt.Sprintf(format, args...)))
	}
	if p.Name == "" {
		wrong("has no name")
	}
	if p.Version == "" {
		wrong("has no version; Kong does not start without one")
	}
	if len(p.Phases) == 0 {
		wrong("has no phases; Kong does not start without any")
	}
	for _, phase := range p.Phases {
		if !slices.Contains(phases, phase) {
			wrong("phase %q is none of Kong's: %v", phase, phases)
		}
	}
	if p.Config == nil || p.Start == nil {
		wrong("needs both Config and Start")
	} else if _, err := pluginSchema(p); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
