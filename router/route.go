package router

import (
	"github.com/kong/keg/router/strict"
)

// routeKeys are a route's keys as the document has them.
type routeKeys struct {
	Name         string     `keg:"name,required" doc:"What people know the route by; no two share one."`
	Description  string     `keg:"description" doc:"What the route is for."`
	Enabled      bool       `keg:"enabled" default:"true" doc:"Whether the route takes events."`
	Match        strict.Raw `keg:"match,required" doc:"What the route takes; {} is everything." ref:"match"`
	Destinations strict.Raw `keg:"destinations,required" doc:"Where the route's events go." ref:"destinations"`
	Final        bool       `keg:"final" doc:"Whether a matching event is shown to no later route."`
	DeadLetter   strict.Raw `keg:"dead_letter" doc:"The destination of what another one did not take." ref:"destination"`
	Retry        retryKeys  `keg:"retry" doc:"How deliveries of this route are tried again."`
	Transform    strict.Raw `keg:"transform" doc:"What is sent instead of the event." ref:"transform"`
	Schema       strict.Raw `keg:"schema" doc:"The JSON Schema of the data, and what a violation leads to." ref:"schema"`
	Ordered      bool       `keg:"ordered" doc:"Whether events of one key (partitionkey, else subject, else source) keep their order at each destination."`
}

// maxName bounds a name that ends up in every log line and answer.
const maxName = 200

func (c *compiler) route(p *strict.Place) *Route {
	var keys routeKeys
	c.Struct([]any{&keys}, p)
	r := &Route{Name: keys.Name, Description: keys.Description, Enabled: keys.Enabled, Final: keys.Final, Ordered: keys.Ordered, Line: p.Line()}
	c.name(p, r)
	c.current = r
	if keys.Match.Set() {
		r.match = c.match(keys.Match.Place, "")
	}
	if keys.Transform.Set() {
		r.Transform = c.transform(keys.Transform.Place)
	}
	if keys.Schema.Set() {
		c.schema(keys.Schema.Place, r)
	}
	inherited := p.Select("retry")
	if keys.Destinations.Set() {
		r.Destinations = c.list(keys.Destinations.Place, inherited)
	}
	for _, d := range r.Destinations {
		d.Transform = inOrder(r.Transform, d.Transform)
	}
	if keys.DeadLetter.Set() {
		r.DeadLetter = c.destination(keys.DeadLetter.Place, inherited)
	}
	return r
}

func (c *compiler) name(p *strict.Place, r *Route) {
	at := p.Member("name")
	if at == nil {
		return
	}
	switch first, twice := c.names[r.Name]; {
	case r.Name == "":
		return
	case len(r.Name) > maxName:
		c.Fail(at, "must not be longer than %d bytes", maxName)
	case hasControl(r.Name):
		c.Fail(at, "must not have control characters")
	case twice:
		c.Fail(at, "two routes have this name: the other one stands on line %d, this one on line %d", first.Line(), at.Line())
	}
	c.names[r.Name] = at
}

func hasControl(text string) bool {
	for i := range len(text) {
		if text[i] < 0x20 || text[i] == 0x7F {
			return true
		}
	}
	return false
}
