package hub

import (
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
	"github.com/kong/keg/router"
)

// owedBroken is owed for an event whose data breaks the schema of one or more of
// the routes that take it; broken stands beside routes, nil where all is well. A
// route that rejects it refuses the event as a whole.
func (w *wiring) owedBroken(e *keg.Event, stored bool, routes []*router.Route, broken []*keg.SchemaError) ([]string, []leg, error) {
	names := make([]string, 0, len(routes))
	var legs []leg
	for i, r := range routes {
		p := w.paths[r]
		names = append(names, r.Name)
		switch {
		case broken[i] == nil, r.OnViolation == router.ViolationPass:
			legs = append(legs, p.legs...)
		case r.OnViolation == router.ViolationDeadLetter && stored:
			legs = append(legs, p.deadLegs(e, broken[i])...)
		case r.OnViolation == router.ViolationDeadLetter && p.deadLetter != nil:
			legs = append(legs, p.storyLeg(e, broken[i]))
		default:
			return nil, nil, broken[i]
		}
	}
	return names, legs, nil
}

// deadLegs make dead letters of what is owed to the route's destinations, so that
// a replay can bring them there when the schema has been mended.
func (p *path) deadLegs(e *keg.Event, err *keg.SchemaError) []leg {
	legs := make([]leg, 0, len(p.legs)+1)
	for _, l := range p.legs {
		legs = append(legs, leg{outlet: l.outlet, dead: violation(e, l.outlet.route, l.outlet.destination.Name, err)})
	}
	if p.deadLetter != nil {
		legs = append(legs, p.storyLeg(e, err))
	}
	return legs
}

// storyLeg brings the event with its story to the route's dead-letter
// destination.
func (p *path) storyLeg(e *keg.Event, err *keg.SchemaError) leg {
	return leg{outlet: p.deadLetter, event: withStory(violation(e, p.deadLetter.route, "", err))}
}

func violation(e *keg.Event, route, destination string, err *keg.SchemaError) *keg.DeadLetter {
	now := time.Now()
	return &keg.DeadLetter{
		Event: e, Route: route, Destination: destination, Reason: keg.ReasonSchema,
		Error: outbox.OneLine(err.Error()), Accepted: now, Died: now,
	}
}
