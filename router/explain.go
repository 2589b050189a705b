package router

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kong/keg"
	"github.com/kong/keg/router/strict"
)

// Outcome is what became of a route when an event was explained.
type Outcome string

// The outcomes.
const (
	Taken    Outcome = "taken"
	Failed   Outcome = "failed"   // a condition did not hold
	Disabled Outcome = "disabled" // the route takes no events
	Passed   Outcome = "passed"   // an earlier route, taken, is final
)

// Verdict says what one route makes of an event.
type Verdict struct {
	Route   string  `json:"route"`
	Outcome Outcome `json:"outcome"`
	// Destinations are the names of those that get the event, where taken.
	Destinations []string `json:"destinations,omitempty"`
	// Key, Wanted and Seen are the first condition that did not hold, where
	// failed: the key as the table has it, below `match`; what it asked for, as
	// written; and what the event has, cut short, secrets masked, on one line.
	Key    string `json:"key,omitempty"`
	Wanted string `json:"wanted,omitempty"`
	Seen   string `json:"seen,omitempty"`
	// Schema is what the route's schema says of the data, where taken and it has one.
	Schema *SchemaVerdict `json:"schema,omitempty"`
	// Transformed is what each destination with a transform gets, where taken and
	// not kept from it by the schema.
	Transformed []Transformed `json:"transformed,omitempty"`
	// Final is the route that ended the search, where passed.
	Final string `json:"final,omitempty"`
}

// String is the verdict in one line.
func (v Verdict) String() string {
	switch v.Outcome {
	case Taken:
		return "taken: to " + strings.Join(v.Destinations, ", ")
	case Failed:
		return fmt.Sprintf("not taken: %s wants %s, saw %s", v.Key, v.Wanted, v.Seen)
	case Disabled:
		return "not looked at: the route is disabled"
	}
	return fmt.Sprintf("not looked at: route %s was taken and is final", strconv.Quote(v.Final))
}

// Explain says for each route, in order, whether it takes the event and why
// not. It is for people: it asks every route, and counts nothing.
func (t *Table) Explain(e *keg.Event) []Verdict {
	v := viewOf(e)
	defer v.release()
	verdicts := make([]Verdict, len(t.routes))
	var final *Route
	for i, r := range t.routes {
		verdict := Verdict{Route: r.Name}
		switch {
		case !r.Enabled:
			verdict.Outcome = Disabled
		case final != nil:
			verdict.Outcome, verdict.Final = Passed, final.Name
		default:
			if f := r.match.why(v); f != nil {
				verdict.Outcome, verdict.Key, verdict.Wanted, verdict.Seen = Failed, f.key, f.wanted, f.seen
				break
			}
			verdict.Outcome = Taken
			for _, d := range r.Destinations {
				verdict.Destinations = append(verdict.Destinations, d.Name)
			}
			verdict.Schema = r.explainSchema(v)
			if verdict.Schema == nil || verdict.Schema.Holds || r.OnViolation == ViolationPass {
				verdict.Transformed = r.explainTransforms(e)
			}
			if r.Final {
				final = r
			}
		}
		verdicts[i] = verdict
	}
	return verdicts
}

// failure is a condition that did not hold.
type failure struct{ key, wanted, seen string }

func (c every) why(v *view) *failure {
	for _, clause := range c.written {
		if f := clause.why(v); f != nil {
			return f
		}
	}
	return nil
}

func (c some) why(v *view) *failure {
	var reasons []string
	for _, clause := range c.clauses {
		f := clause.why(v)
		if f == nil {
			return nil
		}
		if len(reasons) < maxReasons {
			reasons = append(reasons, fmt.Sprintf("%s wants %s, saw %s", f.key, f.wanted, f.seen))
		}
	}
	if more := len(c.clauses) - len(reasons); more > 0 {
		reasons = append(reasons, fmt.Sprintf("and %d more", more))
	}
	return &failure{c.key, fmt.Sprintf("one of %d", len(c.clauses)), "none: " + strings.Join(reasons, "; ")}
}

func (c negation) why(v *view) *failure {
	if c.clause.why(v) != nil {
		return nil
	}
	return &failure{c.key, "that it does not hold", "that it holds"}
}

func (c *look) why(v *view) *failure {
	s := c.subject.see(v)
	if c.test.holds(s) {
		return nil
	}
	wanted := c.wanted
	if c.quote {
		wanted = strict.Quote(wanted)
	}
	return &failure{c.key, wanted, c.shown(v, s)}
}

func (w *when) why(v *view) *failure {
	yes, err := w.ask(v)
	switch {
	case err != nil:
		return &failure{w.key, cut(w.wanted), "an error: " + cut(err.Error())}
	case !yes:
		return &failure{w.key, cut(w.wanted), "false"}
	}
	return nil
}

// How much of an event an explanation shows.
const (
	maxReasons = 4
	maxShown   = 5  // values
	maxRunes   = 80 // of one value
)

func (c *look) shown(v *view, s seen) string {
	if !s.present {
		if _, ok := c.subject.(dataAt); ok {
			return "nothing: " + v.noData()
		}
		return "nothing"
	}
	if len(s.values) == 0 {
		return "an empty list"
	}
	if sensitive(c.key) {
		return "***"
	}
	var shown []string
	for i := range s.values[:min(len(s.values), maxShown)] {
		shown = append(shown, s.values[i].String())
	}
	if more := len(s.values) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(shown, ", ")
}

// noData says why data shows nothing, from the widest reason to the narrowest.
func (v *view) noData() string {
	switch {
	case len(v.event.Data) == 0:
		return "the event has no data"
	case !v.event.JSONData():
		return "the data is no JSON by its content type"
	case !v.isJSON && jsonDepth(v.event.Data) > maxJSONDepth:
		return fmt.Sprintf("the data is nested deeper than %d levels", maxJSONDepth)
	case !v.isJSON:
		return "the data is broken JSON"
	}
	return "the data has no such value"
}

// String shows a value for people.
func (v *value) String() string {
	switch v.kind {
	case loose, text:
		return strconv.Quote(cut(v.text))
	case instant:
		return canonical(v.time)
	case numeric:
		return cut(v.text)
	case boolean:
		return strconv.FormatBool(v.yes)
	case null:
		return "null"
	}
	return "an object"
}

func cut(text string) string { return cutTo(text, maxRunes) }

func cutTo(text string, runes int) string {
	if utf8.RuneCountInString(text) > runes {
		text = string([]rune(text)[:runes]) + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7F {
			return ' '
		}
		return r
	}, text)
}

// sensitive tells by its name that a header or value is likely a secret.
func sensitive(key string) bool {
	key = strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(key))
	for _, word := range []string{
		"authorization", "cookie", "password", "passwd", "secret", "token", "apikey", "credential", "signature", "privatekey",
	} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}
