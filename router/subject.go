package router

import (
	"strings"
	"time"
)

// subject is what a condition looks at.
type subject interface {
	// see returns what the event shows there. It is valid until the next see on
	// the same view.
	see(v *view) seen
	cost() int
}

// seen is what a subject shows of one event: nothing, or values, of which a
// header or an array may have several, or none.
type seen struct {
	present bool
	values  []value
}

// What it costs to look, for the order of looking only.
const (
	costAttribute = iota
	costHeader
	costData
	costWhen
)

// attribute is a context attribute or extension by its CloudEvents name.
type attribute string

func (a attribute) cost() int { return costAttribute }

func (a attribute) see(v *view) seen {
	text, ok := v.event.Attribute(string(a))
	if !ok {
		return seen{}
	}
	v.one[0] = value{kind: loose, text: text}
	return seen{true, v.one[:]}
}

// timeAttribute is the attribute time, which also compares as an instant.
type timeAttribute struct{}

func (timeAttribute) cost() int { return costAttribute }

func (timeAttribute) see(v *view) seen {
	if v.event.Time.IsZero() {
		return seen{}
	}
	v.one[0] = value{kind: instant, time: v.event.Time}
	return seen{true, v.one[:]}
}

// headerNamed is a header of the request by its lower-case name.
type headerNamed string

func (h headerNamed) cost() int { return costHeader }

func (h headerNamed) see(v *view) seen {
	lines := v.event.Headers.Values(string(h))
	if len(lines) == 0 {
		return seen{}
	}
	v.many = v.many[:0]
	for _, line := range lines {
		v.many = append(v.many, value{kind: loose, text: line})
	}
	return seen{true, v.many}
}

// dataAt is a place in JSON data.
type dataAt []step

func (d dataAt) cost() int { return costData }

func (d dataAt) see(v *view) seen {
	root, ok := v.json()
	if !ok {
		return seen{}
	}
	v.many = v.many[:0]
	return seen{v.walk(root, d), v.many}
}

// step is one name of a path, which on an array may be an index.
type step struct {
	name  string
	index int // -1: none
}

// Bounds of a path; data is nested no deeper.
const maxSteps = 64

// parsePath cuts a path at its dots; `\.` is a dot of a name.
func parsePath(path string) ([]step, string) {
	var steps []step
	var name strings.Builder
	for i := 0; i <= len(path); i++ {
		switch {
		case i < len(path) && path[i] == '\\':
			if i++; i == len(path) || path[i] != '.' && path[i] != '\\' {
				return nil, `a backslash in a path stands before a dot or a backslash`
			}
			name.WriteByte(path[i])
		case i < len(path) && path[i] != '.':
			name.WriteByte(path[i])
		case name.Len() == 0:
			return nil, "the path has an empty name: write `data.order.id`"
		default:
			steps = append(steps, step{name.String(), arrayIndex(name.String())})
			name.Reset()
		}
	}
	if len(steps) > maxSteps {
		return nil, "the path has too many names"
	}
	return steps, ""
}

func arrayIndex(name string) int {
	n := 0
	for _, c := range []byte(name) {
		if c < '0' || c > '9' || len(name) > 9 {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// walk collects the values at the end of a path into v.many, and reports
// whether there is such a place at all.
func (v *view) walk(at any, path []step) bool {
	if list, ok := at.([]any); ok {
		if len(path) > 0 && path[0].index >= 0 {
			return path[0].index < len(list) && v.walk(list[path[0].index], path[1:])
		}
		present := len(path) == 0
		for _, item := range list {
			present = v.walk(item, path) || present
		}
		return present
	}
	if len(path) == 0 {
		v.many = append(v.many, jsonValue(at))
		return true
	}
	object, ok := at.(map[string]any)
	if !ok {
		return false
	}
	child, ok := object[path[0].name]
	return ok && v.walk(child, path[1:])
}

// canonical is the attribute time as CloudEvents writes it.
func canonical(t time.Time) string { return t.Format(time.RFC3339Nano) }
