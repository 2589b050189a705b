package router

import (
	"net/netip"
	"regexp"
	"strings"
	"time"
)

// test is what a condition asks of all that its subject shows.
type test interface{ holds(s seen) bool }

// element is what a condition asks of one value. It is a test as one: some
// value passes.
type element interface{ passes(v *value) bool }

type (
	// anyValue holds where some value passes.
	anyValue struct{ element }
	// anyTest holds where one of its tests does: a list.
	anyTest []test
	// everyTest holds where all of its tests do: several operators.
	everyTest []test
	// together passes what passes all of its elements.
	together []element
	// exists holds where presence is as wanted.
	exists bool
	// anythingBut holds where something is present and the test does not hold.
	anythingBut struct{ test }
)

func (t anyValue) holds(s seen) bool {
	for i := range s.values {
		if t.passes(&s.values[i]) {
			return true
		}
	}
	return false
}

func (t anyTest) holds(s seen) bool {
	for _, test := range t {
		if test.holds(s) {
			return true
		}
	}
	return false
}

func (t everyTest) holds(s seen) bool {
	for _, test := range t {
		if !test.holds(s) {
			return false
		}
	}
	return true
}

func (t together) passes(v *value) bool {
	for _, element := range t {
		if !element.passes(v) {
			return false
		}
	}
	return true
}

func (t exists) holds(s seen) bool { return s.present == bool(t) }

func (t anythingBut) holds(s seen) bool { return s.present && !t.test.holds(s) }

// What a value can be equal to.
type (
	equalText   string
	equalOneOf  map[string]struct{} // a long list of texts
	equalNumber struct{ number }
	equalBool   bool
	equalNull   struct{}
	equalTime   struct{ time time.Time }
)

func (t equalText) passes(v *value) bool {
	return v.text == string(t) && (v.kind == loose || v.kind == text)
}

func (t equalOneOf) passes(v *value) bool {
	_, ok := t[v.text]
	return ok && (v.kind == loose || v.kind == text)
}

func (t equalNumber) passes(v *value) bool {
	n, ok := v.number()
	return ok && n.compare(t.number) == 0
}

func (t equalBool) passes(v *value) bool {
	switch v.kind {
	case boolean:
		return v.yes == bool(t)
	case loose:
		return bool(t) && v.text == "true" || !bool(t) && v.text == "false"
	}
	return false
}

func (equalNull) passes(v *value) bool { return v.kind == null }

func (t equalTime) passes(v *value) bool { return v.kind == instant && v.time.Equal(t.time) }

// Operators on text.
type (
	prefix     string
	suffix     string
	ignoreCase string
	wildcard   []string // what stands between the stars
	matches    struct{ *regexp.Regexp }
)

func (t prefix) passes(v *value) bool {
	text, ok := v.string()
	return ok && strings.HasPrefix(text, string(t))
}

func (t suffix) passes(v *value) bool {
	text, ok := v.string()
	return ok && strings.HasSuffix(text, string(t))
}

func (t ignoreCase) passes(v *value) bool {
	text, ok := v.string()
	return ok && strings.EqualFold(text, string(t))
}

// passes takes each piece at its first place, which is the best one: a later
// place leaves less for the rest.
func (t wildcard) passes(v *value) bool {
	text, ok := v.string()
	last := len(t) - 1
	if !ok || !strings.HasPrefix(text, t[0]) {
		return false
	}
	if last == 0 {
		return text == t[0]
	}
	text = text[len(t[0]):]
	for _, piece := range t[1:last] {
		i := strings.Index(text, piece)
		if i < 0 {
			return false
		}
		text = text[i+len(piece):]
	}
	return strings.HasSuffix(text, t[last])
}

// maxRegexText bounds how much text one regular expression reads: RE2's time
// is linear, with a factor that its author chose.
const maxRegexText = 64 << 10

func (t matches) passes(v *value) bool {
	text, ok := v.string()
	return ok && len(text) <= maxRegexText && t.MatchString(text)
}

// Operators that order.
type (
	// ordered compares numbers, orderedTime instants; accept tells which
	// results will do.
	ordered struct {
		bound  number
		accept accepted
	}
	orderedTime struct {
		bound  time.Time
		accept accepted
	}
	within struct{ netip.Prefix }
)

// accepted is which results of a comparison an operator takes.
type accepted struct{ less, equal, more bool }

var comparisons = map[string]accepted{
	"gt": {more: true}, "gte": {equal: true, more: true},
	"lt": {less: true}, "lte": {less: true, equal: true},
}

func (a accepted) takes(comparison int) bool {
	return a.less && comparison < 0 || a.equal && comparison == 0 || a.more && comparison > 0
}

func (t ordered) passes(v *value) bool {
	n, ok := v.number()
	return ok && t.accept.takes(n.compare(t.bound))
}

func (t orderedTime) passes(v *value) bool {
	return v.kind == instant && t.accept.takes(v.time.Compare(t.bound))
}

func (t within) passes(v *value) bool {
	text, ok := v.string()
	if !ok || len(text) > 64 {
		return false
	}
	address, err := netip.ParseAddr(text)
	return err == nil && t.Contains(address.Unmap().WithZone(""))
}
