package sinks

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kong/keg"
)

// template is text with places that an event fills in: "orders-{tenant}". A
// place names a context attribute or an extension.
type template struct {
	source string
	parts  []part
}

// part is literal text, or the name of an attribute.
type part struct{ literal, attribute string }

// parseTemplate reads a template. Its error says what is wrong with the text,
// and does not repeat it.
func parseTemplate(text string) (template, error) {
	t := template{source: text}
	for rest := text; rest != ""; {
		literal, after, found := strings.Cut(rest, "{")
		if strings.Contains(literal, "}") {
			return template{}, errors.New(`has a "}" that closes no place; a place is written {attribute}`)
		}
		if literal != "" {
			t.parts = append(t.parts, part{literal: literal})
		}
		if !found {
			break
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			return template{}, errors.New(`has a "{" without its "}"; a place is written {attribute}`)
		}
		if !isAttributeName(name) {
			return template{}, errors.New("has a place that names no attribute; a name has only a-z and 0-9, as in {type} or {partitionkey}")
		}
		t.parts = append(t.parts, part{attribute: name})
		rest = tail
	}
	return t, nil
}

// isAttributeName reports whether an event may have an attribute of that name
// (CloudEvents 1.0, section 3, naming conventions, which keep "data" out).
func isAttributeName(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return name != "" && name != "data"
}

// isConstant reports whether the template has no places.
func (t template) isConstant() bool {
	for _, p := range t.parts {
		if p.attribute != "" {
			return false
		}
	}
	return true
}

// missingError: an event lacks an attribute that a template names.
type missingError struct{ attribute string }

func (e *missingError) Error() string {
	return fmt.Sprintf("the event has no attribute %q", e.attribute)
}

// expand fills the places from e. Check, which may be nil, judges each value on
// its own: its error says what is wrong without repeating the value. An absent
// or empty attribute is a [*missingError], and a result of more than limit bytes
// is refused. Every error is final for this event, so callers mark it
// [keg.Permanent] or do without.
func (t template) expand(e *keg.Event, limit int, check func(value string) error) (string, error) {
	if len(t.parts) == 1 && t.parts[0].attribute == "" {
		return t.source, nil
	}
	var b strings.Builder
	for _, p := range t.parts {
		value := p.literal
		if p.attribute != "" {
			value, _ = e.Attribute(p.attribute)
			if value == "" {
				return "", &missingError{p.attribute}
			}
			if check != nil {
				if err := check(value); err != nil {
					return "", fmt.Errorf("the event's %q %w", p.attribute, err)
				}
			}
		}
		if b.Len()+len(value) > limit {
			return "", fmt.Errorf("comes to more than %d bytes for this event", limit)
		}
		b.WriteString(value)
	}
	return b.String(), nil
}
