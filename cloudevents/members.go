package cloudevents

import (
	"github.com/kong/keg"
)

// bodyAttributes are what the top level of a plain JSON body may say of its event.
type bodyAttributes struct{ eventType, eventSource, eventID string }

// readMembers looks for them in one pass, which also makes sure that the body is
// JSON. A value that is neither a string nor a number is not meant for KEG, and
// does not count; an empty one counts as absent.
func readMembers(body []byte) (bodyAttributes, error) {
	s := startScan(body)
	defer s.finish()
	var found bodyAttributes
	var err error
	if s.PeekKind() == '{' {
		err = s.members(found.member)
	} else if _, err = s.ReadValue(); err != nil {
		err = broken(err, len(body))
	}
	if err == nil {
		err = s.end()
	}
	if err == nil && tooDeep(body, maxDepth) {
		err = errTooDeep
	}
	return found, err
}

func (a *bodyAttributes) member(name, value []byte) error {
	var target *string
	switch string(name) {
	case "event_type":
		target = &a.eventType
	case "event_source":
		target = &a.eventSource
	case "event_id":
		target = &a.eventID
	default:
		return nil
	}
	if *target != "" {
		return &keg.InvalidError{Attribute: string(name), Problem: "is there twice"}
	}
	switch c := value[0]; {
	case c == '"':
		*target = string(unquoteJSON(value))
	case c == '-', '0' <= c && c <= '9':
		*target = string(value)
	}
	return nil
}
