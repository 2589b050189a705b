package cloudevents

import (
	"strings"

	"github.com/kong/keg"
)

// required are the attributes that make a CloudEvent, in the order that they
// are reported in.
var required = [...]string{"specversion", "id", "source", "type"}

// claimsBinary reports whether a request means to be a CloudEvent in binary
// mode: it has at least one of the required attributes. One that lacks another
// is a mistake to be told of, not a plain request.
func claimsBinary(h keg.Headers) bool {
	return len(h["ce-specversion"]) > 0 || len(h["ce-id"]) > 0 || len(h["ce-source"]) > 0 || len(h["ce-type"]) > 0
}

// fromBinary reads a request in binary mode (HTTP binding, section 3.1).
func fromBinary(r *Request) (*keg.Event, error) {
	for _, name := range required {
		if len(r.Headers["ce-"+name]) == 0 {
			return nil, missing("ce-" + name)
		}
	}
	e := &keg.Event{DataContentType: r.Headers.Get("content-type"), Data: r.Body}
	for header, values := range r.Headers {
		name, ok := strings.CutPrefix(header, "ce-")
		if !ok {
			continue
		}
		if name == "datacontenttype" {
			return nil, &keg.InvalidError{Attribute: header, Problem: "must not be sent; Content-Type says it"}
		}
		if len(values) > 1 {
			return nil, &keg.InvalidError{Attribute: header, Problem: "was sent more than once"}
		}
		value, err := decodeValue(header, values[0])
		if err != nil {
			return nil, err
		}
		if err := assign(e, name, value); err != nil {
			return nil, err
		}
	}
	return e, nil
}
