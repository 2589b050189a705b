// Package answer is what a publisher hears: it turns receipts and refusals into
// an HTTP status, headers and a body. The plugin and the HTTP source give the
// same answers, so they are made here and sent there. It knows neither of them,
// and does no I/O.
//
// Refusals are problem details (RFC 9457). Only errors that package keg defines
// are shown to a stranger; any other is a status without its text.
package answer

import (
	"log/slog"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/kong/keg"
)

// Answer is an HTTP response to a publisher.
type Answer struct {
	Status int
	// Headers may be other answers', too: they are not to be changed.
	Headers http.Header
	Body    []byte
}

// Level is how a log tells of a refusal: a sender's own mistake, or that it must
// wait, is no error of this node.
func (a Answer) Level() slog.Level {
	if a.Status >= http.StatusInternalServerError && a.Status != http.StatusServiceUnavailable {
		return slog.LevelError
	}
	return slog.LevelWarn
}

// Of answers for the events of one request. A batch is answered with one status
// where all of its events agree, and with 207 where they do not; either way the
// body has one entry for each event, in order.
func Of(receipts keg.Receipts, batch bool) Answer {
	if batch {
		return ofBatch(receipts)
	}
	if len(receipts) != 1 {
		return Problem(errWrongCount)
	}
	r := &receipts[0]
	if r.Err != nil {
		return newProblem(r.ID, judge(r)).answer()
	}
	body := make([]byte, 0, 96)
	body = append(body, '{')
	body = appendTaken(body, r)
	return Answer{Status: status(r), Headers: jsonHeaders, Body: append(body, "}\n"...)}
}

// status is that of an event which is safe.
func status(r *keg.Receipt) int {
	if r.Ack == keg.AckDelivered && len(r.Routes)+len(r.Deliveries) > 0 {
		return http.StatusOK
	}
	return http.StatusAccepted
}

// appendTaken appends the members that tell what became of a safe event.
func appendTaken(b []byte, r *keg.Receipt) []byte {
	b = append(b, `"id":`...)
	b = appendString(b, r.ID)
	b = append(b, `,"routes":[`...)
	for i, route := range r.Routes {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, route)
	}
	return append(b, ']')
}

func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // what is not UTF-8 is replaced
	return b
}

// jsonHeaders are those of every answer to events that are safe.
var jsonHeaders = http.Header{"Content-Type": {"application/json"}}
