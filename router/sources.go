package router

import (
	"cmp"
	"strings"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/router/strict"
)

// sourceKeys are the keys that every type of source has; the rest are its
// settings.
type sourceKeys struct {
	Type           string        `keg:"type,required" doc:"What kind of source it is."`
	Name           string        `keg:"name" doc:"What people know the source by; made from its settings where absent."`
	Ack            string        `keg:"ack" enum:"delivered,stored,none" doc:"What the source waits for before its sender may forget an event."`
	Timeout        time.Duration `keg:"timeout" min:"1ms" max:"1h" doc:"How long it waits for that."`
	Dedupe         time.Duration `keg:"dedupe" min:"1s" max:"8760h" doc:"The window in which a second event of the same source and id is dropped."`
	ForwardHeaders []string      `keg:"forward_headers,split" doc:"Headers that travel on with an event."`
}

// sources reads the list of sources. Their names are theirs alone.
func (c *compiler) sources(p *strict.Place) []keg.SourceConfig {
	var all []keg.SourceConfig
	names := map[string]int{} // to the line
	items := c.Items(p)
	for i := range items {
		at := &items[i]
		s, ok := c.source(at)
		if !ok {
			continue
		}
		named := at
		if name := at.Member("name"); name != nil && !name.IsNull() {
			named = name
		}
		if line, twice := names[s.Name]; twice {
			c.Fail(named, "two sources have this name: the other one stands on line %d; give each a `name` of its own", line)
			continue
		}
		names[s.Name] = s.Line
		all = append(all, s)
	}
	return all
}

func (c *compiler) source(p *strict.Place) (keg.SourceConfig, bool) {
	before := c.Failed()
	kinds := make([]string, len(c.sourceTypes))
	for i, t := range c.sourceTypes {
		kinds[i] = t.Name
	}
	at, ok := c.kindOf(p, "source", kinds)
	if !ok {
		return keg.SourceConfig{}, false
	}
	settings := c.sourceTypes[at].New()
	var keys sourceKeys
	c.Struct([]any{&keys, settings}, p)
	if at := p.Member("name"); at != nil && (len(keys.Name) > maxName || hasControl(keys.Name)) {
		c.Fail(at, "must have at most %d bytes and no control characters", maxName)
	}
	for _, name := range keys.ForwardHeaders {
		if problem := unforwardable(strings.ToLower(name)); problem != "" || name == "*" {
			c.Fail(p.Member("forward_headers"), "%q %s", name, cmp.Or(problem, "is no name of a header: each header is named in full"))
		}
	}
	if c.Failed() > before {
		return keg.SourceConfig{}, false
	}
	if keys.Name == "" {
		keys.Name = c.made(settings.Label())
	}
	return keg.SourceConfig{
		Type: keys.Type, Name: keys.Name, Ack: keg.Ack(keys.Ack), Timeout: keys.Timeout, Dedupe: keys.Dedupe,
		ForwardHeaders: keys.ForwardHeaders, Settings: settings, Line: p.Line(),
	}, true
}
