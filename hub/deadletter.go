package hub

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/kong/keg"
)

// maxStoryError bounds how much of a destination's words a dead letter carries.
const maxStoryError = 1024

// buries reports whether a delivery that ended like this becomes a dead letter.
// One that ran out of time does not while its sender waits and hears so: it is
// told that it still has the event, and nothing was wrong with the event.
func (p *Port) buries(end ending) bool {
	switch end {
	case refused, spent, broken:
		return true
	case late:
		return p.ack == keg.AckNone
	}
	return false
}

// bury sends e, with its story, to o's dead-letter destination, and reports
// whether that has it. It logs a failure: the sender hears of the delivery's
// own error and of no other.
func (p *Port) bury(ctx context.Context, e *keg.Event, o *outlet, out outcome) bool {
	if p.ack == keg.AckNone { // nobody waits, and the delivery may have used up all its time
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(p.background, p.timeout)
		defer cancel()
	}
	h, dead := p.hub, withStory(e, o, out)
	size := weight(dead)
	err := h.admission.admit([]*outlet{o.deadLetter}, size)
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
	h.stats.deadLettered.Add(1)
	return true
}

// withStory returns a copy of e whose headers tell how it became a dead letter.
func withStory(e *keg.Event, o *outlet, out outcome) *keg.Event {
	dead := *e
	dead.Headers = maps.Clone(e.Headers)
	if dead.Headers == nil {
		dead.Headers = keg.Headers{}
	}
	tell := func(name, value string) { dead.Headers[storyPrefix+name] = []string{value} }
	tell("reason", string(out.ending))
	tell("error", oneLine(out.err.Error()))
	var status interface{ HTTPStatus() int }
	if errors.As(out.err, &status) {
		tell("status", strconv.Itoa(status.HTTPStatus()))
	}
	tell("attempts", strconv.Itoa(out.attempts))
	tell("first-time", out.first.UTC().Format(time.RFC3339Nano))
	tell("last-time", out.last.UTC().Format(time.RFC3339Nano))
	if o.route != "" {
		tell("route", oneLine(o.route))
	}
	tell("destination", oneLine(o.destination.Name))
	return &dead
}

// oneLine makes text fit for a header: valid UTF-8 of a bounded length, without
// control characters. A destination wrote part of it.
func oneLine(text string) string {
	if len(text) > maxStoryError {
		text = text[:maxStoryError] // a rune cut in two goes with what is no UTF-8
	}
	text = strings.ToValidUTF8(text, "")
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7F && r <= 0x9F {
			return ' '
		}
		return r
	}, text)
}
