package console

import (
	"encoding/json"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/cloudevents"
)

// DeadLetter is a [keg.DeadLetter] as it is shown: in JSON, its event in
// CloudEvents' JSON format (data as JSON where it is JSON, else as text or
// base64).
type DeadLetter struct {
	ID          string     `json:"id"`
	Route       string     `json:"route,omitempty"`
	Destination string     `json:"destination,omitempty"`
	Reason      keg.Reason `json:"reason"`
	Error       string     `json:"error,omitempty"`
	Status      int        `json:"status,omitempty"` // HTTP
	Attempts    int        `json:"attempts"`
	First       time.Time  `json:"first,omitzero"`
	Last        time.Time  `json:"last,omitzero"`
	Accepted    time.Time  `json:"accepted,omitzero"`
	Died        time.Time  `json:"died,omitzero"`
	// DataBytes is the size of the event's data, also where that is not shown.
	DataBytes int             `json:"data_bytes"`
	Headers   keg.Headers     `json:"headers,omitempty"`
	Event     json.RawMessage `json:"event"`
}

// Event names an event.
type Event struct {
	ID     string `json:"id"`
	Source string `json:"source"`
	Type   string `json:"type"`
}

// Named reads the names of the event of d.
func (d *DeadLetter) Named() (e Event) {
	_ = json.Unmarshal(d.Event, &e) // what cannot be read has no names
	return e
}

// shown is how d is shown, with its event's data and headers or without.
func shown(d *keg.DeadLetter, whole bool) *DeadLetter {
	s := &DeadLetter{
		ID: d.ID, Route: d.Route, Destination: d.Destination, Reason: d.Reason, Error: d.Error, Status: d.Status,
		Attempts: d.Attempts, First: d.First, Last: d.Last, Accepted: d.Accepted, Died: d.Died,
	}
	e := keg.Event{}
	if d.Event != nil {
		e = *d.Event
	}
	s.DataBytes = len(e.Data)
	if whole {
		s.Headers = e.Headers
	} else {
		e.Data = nil
	}
	e.Headers = nil // they are shown beside it
	s.Event = cloudevents.AppendJSON(nil, &e)
	if !json.Valid(s.Event) {
		// What a source could not decode may have names that no attribute has.
		e.Extensions = nil
		s.Event = cloudevents.AppendJSON(nil, &e)
	}
	return s
}
