package keg

import (
	"cmp"
	"maps"
	"strings"
	"time"
)

// SpecVersion is the version of CloudEvents that every [Event] follows.
const SpecVersion = "1.0"

// Event is one CloudEvent 1.0. Whoever holds an Event may read it; only its
// maker may change it, and nobody once it has been given to a [Handler] or a
// [Sink]: both share it between goroutines.
type Event struct {
	ID, Source, Type, Subject string

	// Time is when the occurrence happened; the zero time means absent.
	Time time.Time

	DataContentType, DataSchema string

	// Extensions holds the extension attributes in CloudEvents' canonical
	// string form, by name.
	Extensions map[string]string

	// Data is the payload as it came, nil where the event has none. It is JSON
	// where JSONData says so.
	Data []byte

	// Headers are those of the request or record that carried the event.
	// They are no part of the CloudEvent: routes may look at them
	// (headers.NAME), and sinks send on what is left of them after the entry
	// has taken away all that it was not told to forward.
	Headers Headers
}

// Attribute returns the canonical string of the context attribute or extension
// of that name, as CloudEvents spells it ("datacontenttype"), and whether the
// event has it. It does not allocate, but for "time".
func (e *Event) Attribute(name string) (string, bool) {
	switch name {
	case "id":
		return e.ID, e.ID != ""
	case "source":
		return e.Source, e.Source != ""
	case "type":
		return e.Type, e.Type != ""
	case "subject":
		return e.Subject, e.Subject != ""
	case "specversion":
		return SpecVersion, true
	case "datacontenttype":
		return e.DataContentType, e.DataContentType != ""
	case "dataschema":
		return e.DataSchema, e.DataSchema != ""
	case "time":
		if e.Time.IsZero() {
			return "", false
		}
		return e.Time.Format(time.RFC3339Nano), true
	}
	value, ok := e.Extensions[name]
	return value, ok
}

// JSONData reports whether the data is JSON by its content type: absent,
// `*/json` or `*/*+json` (CloudEvents JSON event format, section 3.1).
func (e *Event) JSONData() bool {
	mediaType, _, _ := strings.Cut(e.DataContentType, ";")
	mediaType = strings.TrimSpace(mediaType)
	_, subtype, found := strings.Cut(mediaType, "/")
	if !found {
		return mediaType == ""
	}
	return strings.EqualFold(subtype, "json") ||
		len(subtype) > 5 && strings.EqualFold(subtype[len(subtype)-5:], "+json")
}

// OrderKey is what events have in common whose order an ordered route keeps.
func (e *Event) OrderKey() string {
	return cmp.Or(e.Extensions["partitionkey"], e.Subject, e.Source)
}

// Weight is about how many bytes e keeps alive.
func (e *Event) Weight() int64 {
	n := 256 + len(e.Data) + len(e.ID) + len(e.Source) + len(e.Type) + len(e.Subject)
	for name, value := range e.Extensions {
		n += len(name) + len(value)
	}
	for name, values := range e.Headers {
		n += len(name)
		for _, value := range values {
			n += len(value)
		}
	}
	return int64(n)
}

// Clone returns a copy whose maps may be changed freely. The data is shared:
// bytes of an event are never written to.
func (e *Event) Clone() *Event {
	c := *e
	c.Extensions = maps.Clone(e.Extensions)
	c.Headers = maps.Clone(e.Headers)
	return &c
}
