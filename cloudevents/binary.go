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
	var fault error
	var faulty string
	for header, values := range r.Headers {
		err := assignHeader(e, header, values)
		if err != nil && (fault == nil || header < faulty) { // the same one each time, whatever a map's order
			fault, faulty = err, header
		}
	}
	if fault != nil {
		return nil, fault
	}
	return e, nil
}

// assignHeader sets the attribute that a header gives, if it gives one.
func assignHeader(e *keg.Event, header string, values []string) error {
	name, ok := strings.CutPrefix(header, "ce-")
	switch {
	case !ok || len(values) == 0:
		return nil
	case name == "datacontenttype":
		return &keg.InvalidError{Attribute: header, Problem: "must not be sent; Content-Type says it"}
	case len(values) > 1:
		return &keg.InvalidError{Attribute: header, Problem: "was sent more than once"}
	}
	value, err := decodeValue(header, values[0])
	if err != nil {
		return err
	}
	return assign(e, name, value)
}
