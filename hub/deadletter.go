package hub

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// buries reports whether a delivery that ended like this becomes a dead letter.
// One that ran out of time, or whose destination is away, does not while its
// sender waits and hears so: it is told that it still has the event, and nothing
// was wrong with the event.
func (p *Port) buries(out outcome) bool {
	switch out.ending {
	case refused, broken:
		return true
	case spent:
		return p.ack == keg.AckNone || !keg.IsUnreachable(out.err)
	case late, away:
		return p.ack == keg.AckNone
	}
	return false
}

// bury sends e, with its story, to o's dead-letter destination, and reports
// whether that has it. It logs a failure: the sender hears of the delivery's
// own error and of no other.
func (p *Port) bury(ctx context.Context, e *keg.Event, o *outlet, out outcome) bool {
	if p.ack == keg.AckNone { // nobody waits, and the delivery may have used up all its time
		limit := endingAt(p.background, time.Now().Add(p.timeout))
		defer limit.end()
		ctx = limit
	}
	h, letter := p.hub, out.letter(e, o)
	dead := withStory(letter)
	size := dead.Weight()
	err := h.admission.admit([]leg{{outlet: o.deadLetter}}, size)
	if err == nil {
		burial := try(ctx, o.deadLetter, dead)
		h.admission.free(o.deadLetter.lane, size)
		h.stats.attempts.Add(int64(burial.attempts))
		err = burial.err
	}
	if err != nil {
		h.log.Error("a dead letter could not be written",
			"id", e.ID, "route", o.route, "destination", o.destination.Name, "refusal", out.err,
			"dead_letter", o.deadLetter.destination.Name, "error", err)
		return false
	}
	h.died(letter.Reason)
	return true
}

// letter is the dead letter of e, which o did not take.
func (out outcome) letter(e *keg.Event, o *outlet) *keg.DeadLetter {
	reason := keg.Reason(out.ending)
	if out.ending == refused {
		reason = keg.ReasonOf(out.err)
	}
	dead := &keg.DeadLetter{
		Event: e, Route: o.route, Destination: o.destination.Name, Reason: reason, Error: outbox.OneLine(out.err.Error()),
		Attempts: out.attempts, First: out.first, Last: out.last, Died: time.Now(),
	}
	var status interface{ HTTPStatus() int }
	if errors.As(out.err, &status) {
		dead.Status = status.HTTPStatus()
	}
	return dead
}

// withStory returns a copy of the dead letter's event whose headers tell how it
// became one.
func withStory(d *keg.DeadLetter) *keg.Event {
	dead := *d.Event
	dead.Headers = maps.Clone(d.Event.Headers)
	if dead.Headers == nil {
		dead.Headers = keg.Headers{}
	}
	tell := func(name, value string) {
		if value != "" {
			dead.Headers[storyPrefix+name] = []string{outbox.OneLine(value)}
		}
	}
	moment := func(name string, t time.Time) {
		if !t.IsZero() {
			tell(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	tell("reason", string(d.Reason))
	tell("error", d.Error)
	if d.Status != 0 {
		tell("status", strconv.Itoa(d.Status))
	}
	tell("attempts", strconv.Itoa(d.Attempts))
	moment("first-time", d.First)
	moment("last-time", d.Last)
	tell("route", d.Route)
	tell("destination", d.Destination)
	return &dead
}
