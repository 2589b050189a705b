package hub

import (
	"context"

	"github.com/kong/keg"
)

// Abandon keeps dead letters of what can never be published; with
// [Port.Publish] it makes the port a [keg.Intake].
func (p *Port) Abandon(_ context.Context, dead ...*keg.DeadLetter) error {
	for _, d := range dead {
		p.hub.log.Error("an event was given up, and no store keeps it", "entry", p.name, "id", d.Event.ID, "type", d.Event.Type,
			"source", d.Event.Source, "route", d.Route, "destination", d.Destination, "reason", d.Reason, "error", d.Error)
	}
	return nil
}
