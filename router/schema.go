package router

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/kong/keg"
)

// OnViolation says what becomes of an event whose data breaks a route's schema.
type OnViolation string

// What a route's `on_violation` may say.
const (
	// ViolationReject refuses the event, whole: its sender hears 422.
	ViolationReject OnViolation = "reject"
	// ViolationDeadLetter makes each delivery of the route a dead letter, of the
	// reason [keg.ReasonSchema]; the sender may forget the event.
	ViolationDeadLetter OnViolation = "dead_letter"
	// ViolationPass delivers the event nevertheless.
	ViolationPass OnViolation = "pass"
)

// Schema is the JSON Schema of a route's data: what `schema` names, of draft
// 2020-12 unless its `$schema` says 2019-09, 7, 6 or 4, and complete in itself:
// a `$ref` leads within the schema, nothing is ever fetched. `format` is
// checked, regular expressions are RE2's. It looks at the event as it came,
// before any transform, and is safe for concurrent use.
type Schema struct {
	// File is the file as the table names it; "" where the schema stands inline.
	File string

	route   string
	hidden  bool // some of it came from a variable: it is not quoted
	checker *checker
}

// Check returns nil where the event's data is JSON that fits the schema.
// Otherwise it tells of the value at fault that lies deepest, in words that
// quote the schema and never the data. Data that is absent, no JSON by its
// content type, broken, or dearer to check than the bound, does not fit.
func (s *Schema) Check(e *keg.Event) *keg.SchemaError {
	v := viewOf(e)
	defer v.release()
	return s.check(v)
}

func (s *Schema) check(v *view) *keg.SchemaError {
	tree, ok := v.json()
	if !ok {
		return s.broken("", "there is no JSON: "+v.noData())
	}
	if pointer, wrong := unreasonable(tree); wrong {
		return s.broken(pointer, fmt.Sprintf("is a number of more than %d digits or of an exponent beyond that", maxDigits))
	}
	f := s.checker.check(tree)
	if f == nil {
		return nil
	}
	if s.hidden {
		f.problem = f.hidden
	}
	return s.broken(f.pointer, f.problem)
}

func (s *Schema) broken(pointer, problem string) *keg.SchemaError {
	return &keg.SchemaError{Route: s.route, Pointer: pointer, Problem: problem}
}

// Violations checks an event by the schemas of the routes that took it, as
// Match returned them, and parses its data once. The result has one entry for
// each route, nil where its schema holds or there is none; it is nil where all
// hold. It does not allocate where no route has a schema.
func Violations(e *keg.Event, routes []*Route) []*keg.SchemaError {
	var v *view
	var broken []*keg.SchemaError
	for i, r := range routes {
		if r.Schema == nil {
			continue
		}
		if v == nil {
			v = viewOf(e)
			defer v.release()
		}
		if err := r.Schema.check(v); err != nil {
			if broken == nil {
				broken = make([]*keg.SchemaError, len(routes))
			}
			broken[i] = err
		}
	}
	return broken
}

// unreasonable finds a number whose exact value, which is what a schema
// compares, would fill the memory: 1e999999999.
func unreasonable(v any) (pointer string, found bool) {
	switch v := v.(type) {
	case json.Number:
		return "", !reasonable(string(v))
	case []any:
		for i, item := range v {
			if below, found := unreasonable(item); found {
				return fmt.Sprintf("/%d%s", i, below), true
			}
		}
	case map[string]any:
		for name, item := range v {
			if below, found := unreasonable(item); found {
				return shortPointer("/" + escapedToken(name) + below), true
			}
		}
	}
	return "", false
}

func reasonable(number string) bool {
	mantissa, exponent := number, ""
	if i := strings.IndexAny(number, "eE"); i >= 0 {
		mantissa, exponent = number[:i], strings.TrimLeft(strings.TrimLeft(number[i+1:], "+-"), "0")
	}
	return len(mantissa) <= maxDigits && (len(exponent) < 3 || len(exponent) == 3 && exponent <= fmt.Sprint(maxDigits))
}
