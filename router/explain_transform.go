package router

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/kong/keg"
)

// SchemaVerdict says what a route's schema makes of an event.
type SchemaVerdict struct {
	Holds bool `json:"holds"`
	// Pointer and Problem are those of the [keg.SchemaError], where it does not
	// hold, and OnViolation what that leads to.
	Pointer     string      `json:"pointer,omitempty"`
	Problem     string      `json:"problem,omitempty"`
	OnViolation OnViolation `json:"on_violation,omitempty"`
}

// String is the verdict in one line.
func (s SchemaVerdict) String() string {
	if s.Holds {
		return "the data fits the schema"
	}
	at := "the data"
	if s.Pointer != "" {
		at = strconv.Quote(s.Pointer)
	}
	then := map[OnViolation]string{
		ViolationReject:     "the event is refused with 422",
		ViolationDeadLetter: "it becomes a dead letter",
		ViolationPass:       "it is delivered nevertheless",
	}[s.OnViolation]
	return fmt.Sprintf("%s breaks the schema: %s; %s (on_violation: %s)", at, s.Problem, then, s.OnViolation)
}

// Transformed is what one destination gets in place of the event.
type Transformed struct {
	Destination string `json:"destination"`
	// Changes are the differences, by name; none where the event stays as it is.
	Changes []Change `json:"changes,omitempty"`
	// Error is why the transform fails, and with it every delivery there.
	Error string `json:"error,omitempty"`
}

// Change is one difference between two events. Secrets are masked, and what is
// long is cut short.
type Change struct {
	// Name is an attribute, "data", or "headers.NAME".
	Name string `json:"name"`
	// Before and After are nil where there is none.
	Before *string `json:"before"`
	After  *string `json:"after"`
}

// String is the change in one line.
func (c Change) String() string {
	show := func(text *string) string {
		if text == nil {
			return "nothing"
		}
		if hasMarks := strings.ContainsFunc(*text, func(r rune) bool { return !unicode.IsPrint(r) }); c.Name == "data" && !hasMarks {
			return *text // JSON reads better without its quotes quoted
		}
		return strconv.Quote(*text)
	}
	return c.Name + ": " + show(c.Before) + " -> " + show(c.After)
}

func (r *Route) explainSchema(v *view) *SchemaVerdict {
	if r.Schema == nil {
		return nil
	}
	if err := r.Schema.check(v); err != nil {
		return &SchemaVerdict{Pointer: err.Pointer, Problem: err.Problem, OnViolation: r.OnViolation}
	}
	return &SchemaVerdict{Holds: true}
}

func (r *Route) explainTransforms(e *keg.Event) []Transformed {
	var all []Transformed
	for _, d := range r.Destinations {
		if d.Transform == nil {
			continue
		}
		x := Transformed{Destination: d.Name}
		if made, err := d.Transform.Apply(e); err != nil {
			x.Error = err.Error()
		} else {
			own := ownTransform(d, r.Transform)
			x.Changes = changes(e, made, func(name string) bool {
				return sensitive(name) || r.Transform.foreign(name) || own.foreign(name) || own.derives(name, r.Transform)
			})
		}
		all = append(all, x)
	}
	return all
}

// values yields what a transform sets, by the names that changes have.
func (t *Transform) values() iter.Seq2[string, *computed] {
	return func(yield func(string, *computed) bool) {
		if t == nil || t.data != nil && !yield("data", t.data) {
			return
		}
		for _, a := range t.set {
			if !yield(a.name, a.computed) {
				return
			}
		}
		for _, h := range t.headers {
			if !yield("headers."+h.name, h.computed) {
				return
			}
		}
	}
}

// foreign tells that a change may show what came from a variable or a file.
func (t *Transform) foreign(name string) bool {
	for of, c := range t.values() {
		if of == name && c.foreign {
			return true
		}
	}
	return false
}

// derives tells that an expression may see what is foreign in an earlier
// transform.
func (t *Transform) derives(name string, earlier *Transform) bool {
	for from, was := range earlier.values() {
		for of, c := range t.values() {
			if of != name || c.program == nil || !was.foreign {
				continue
			}
			switch inHeaders := strings.HasPrefix(from, "headers."); {
			case inHeaders && !c.uses.headers, from == "data" && !c.uses.data:
			default:
				return true
			}
		}
	}
	return false
}

// shownData is an event's data with its secrets masked.
func shownData(e *keg.Event) string {
	if !e.JSONData() {
		return string(e.Data)
	}
	tree, ok := parseJSON(e.Data)
	if !ok {
		return string(e.Data)
	}
	w := jsonWriter{limit: 4 * len(e.Data)}
	if w.value(masked(tree), 1) != "" {
		return string(e.Data)
	}
	return string(w.text)
}

func masked(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = masked(v[i])
		}
	case map[string]any:
		for name := range v {
			if v[name] = masked(v[name]); sensitive(name) {
				v[name] = "***"
			}
		}
	}
	return v
}

// maxChange is how much of data or of a value a change shows, in characters.
const maxChange = 2000

func changes(before, after *keg.Event, hidden func(name string) bool) []Change {
	var all []Change
	note := func(name, was, is string, had, has bool) {
		if was == is && had == has && name != "data" { // data that differs in a secret alone is shown, too
			return
		}
		c := Change{Name: name}
		show := func(text string, there bool) *string {
			if !there {
				return nil
			}
			text = strings.ToValidUTF8(cutTo(text, maxChange), "\uFFFD")
			if hidden(name) {
				text = "***"
			}
			return &text
		}
		c.Before, c.After = show(was, had), show(is, has)
		all = append(all, c)
	}
	names := map[string]bool{}
	for _, e := range []*keg.Event{before, after} {
		for name := range e.Extensions {
			names[name] = true
		}
	}
	context := []string{"type", "source", "id", "subject", "time", "datacontenttype", "dataschema"}
	for _, name := range append(context, slices.Sorted(maps.Keys(names))...) {
		was, had := before.Attribute(name)
		is, has := after.Attribute(name)
		note(name, was, is, had, has)
	}
	clear(names)
	for _, e := range []*keg.Event{before, after} {
		for name := range e.Headers {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, is := before.Headers[name], after.Headers[name]
		note("headers."+name, strings.Join(was, ", "), strings.Join(is, ", "), len(was) > 0, len(is) > 0)
	}
	if !bytes.Equal(before.Data, after.Data) {
		note("data", shownData(before), shownData(after), len(before.Data) > 0, len(after.Data) > 0)
	}
	return all
}
