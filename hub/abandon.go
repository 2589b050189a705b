package hub

import (
	"context"
	"maps"
	"strings"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// Abandon keeps dead letters of what can never be published; with
// [Port.Publish] it makes the port a [keg.Intake].
func (p *Port) Abandon(ctx context.Context, dead ...*keg.DeadLetter) error {
	if p.hub.store == nil {
		for _, d := range dead {
			p.hub.log.Error("an event was given up, and no store keeps it", "entry", p.name, "id", d.Event.ID, "type", d.Event.Type,
				"source", d.Event.Source, "route", d.Route, "destination", d.Destination, "reason", d.Reason, "error", d.Error)
		}
		return nil
	}
	entries := make([]*outbox.Entry, len(dead))
	for i, d := range dead {
		e := withOrigin(p.forward.strip(d.Event), d.Event.Headers)
		entries[i] = &outbox.Entry{Event: e, Owed: []*outbox.Owed{{
			Queue: outbox.Queue{Route: d.Route, Destination: d.Destination}, Dead: d,
		}}}
	}
	if err := p.hub.put(ctx, entries); err != nil {
		return err
	}
	for _, d := range dead {
		p.hub.log.Warn("an event was given up, and is a dead letter now", "entry", p.name, "id", d.Event.ID, "reason", d.Reason, "error", d.Error)
	}
	return nil
}

// originPrefix begins the headers by which a source tells where it read what it
// abandons.
const originPrefix = "keg-source-"

// withOrigin returns stripped with those of headers that tell of its origin.
func withOrigin(stripped *keg.Event, headers keg.Headers) *keg.Event {
	told := *stripped
	told.Headers = maps.Clone(stripped.Headers)
	for name, values := range headers {
		if strings.HasPrefix(name, originPrefix) {
			if told.Headers == nil {
				told.Headers = keg.Headers{}
			}
			told.Headers[name] = values
		}
	}
	return &told
}
