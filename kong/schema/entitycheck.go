package schema

import (
	"encoding/json"
	"slices"
	"strings"
)

// EntityCheck is a rule that ties the fields of one record together, one of
// Kong's entity_checks. It names fields by their names in that record; Kong
// takes a boolean for set whatever its value is.
type EntityCheck struct {
	name     string
	fields   []string
	argument any
}

// EntityChecker is a config, or the struct of a record in one, whose fields
// are tied together. EntityChecks is asked of the struct's zero value, but for
// the config itself.
type EntityChecker interface {
	EntityChecks() []EntityCheck
}

// MarshalJSON writes {"name": argument}.
func (c EntityCheck) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{c.name: c.argument})
}

func listCheck(name string, fields []string) EntityCheck {
	return EntityCheck{name: name, fields: fields, argument: fields}
}

// AtLeastOneOf wants one of the fields to be set, or more.
func AtLeastOneOf(fields ...string) EntityCheck { return listCheck("at_least_one_of", fields) }

// OnlyOneOf wants exactly one of the fields to be set.
func OnlyOneOf(fields ...string) EntityCheck { return listCheck("only_one_of", fields) }

// MutuallyRequired wants all of the fields to be set, or none.
func MutuallyRequired(fields ...string) EntityCheck { return listCheck("mutually_required", fields) }

// MutuallyExclusive wants at most one of the fields to be set.
func MutuallyExclusive(fields ...string) EntityCheck { return listCheck("mutually_exclusive", fields) }

// Distinct wants no two of the fields that are set to have the same value.
func Distinct(fields ...string) EntityCheck { return listCheck("distinct", fields) }

// Match is what a conditional check looks for in a field's value.
type Match map[string]any

// Is matches one of the values.
func Is(values ...any) Match { return Match{"one_of": values} }

// Equals matches one value, which may be a boolean.
func Equals(value any) Match { return Match{"eq": value} }

// IsSet matches every value.
func IsSet() Match { return Match{} }

// If wants a field to match where another one does. An unset field matches
// nothing: Kong's own validators pass a null, so that every match requires a
// value.
func If(field string, is Match, then string, must Match) EntityCheck {
	return EntityCheck{
		name: "conditional", fields: []string{field, then},
		argument: map[string]any{"if_field": field, "if_match": is.required(), "then_field": then, "then_match": must.required()},
	}
}

// IfAtLeastOneOf wants one of the fields to be set, or more, where another one
// matches.
func IfAtLeastOneOf(field string, is Match, then ...string) EntityCheck {
	return EntityCheck{
		name: "conditional_at_least_one_of", fields: append([]string{field}, then...),
		argument: map[string]any{"if_field": field, "if_match": is.required(), "then_at_least_one_of": then},
	}
}

func (m Match) required() map[string]any {
	all := map[string]any{"required": true}
	for name, value := range m {
		all[name] = value
	}
	return all
}

// entityChecks adds a record's checks, and refuses one that names a field that
// the record does not have: Kong would never find it set.
func (b *builder) entityChecks(f *Field, config any, path string) {
	checker, ok := config.(EntityChecker)
	if !ok {
		return
	}
	f.EntityChecks = checker.EntityChecks()
	for _, check := range f.EntityChecks {
		if len(check.fields) < 2 {
			b.wrong(path, "the entity check %q ties no fields together", check.name)
		}
		for _, name := range check.fields {
			if !slices.ContainsFunc(*f.Fields, func(n Named) bool { return n.Name == name }) {
				b.wrong(path, "the entity check %s of %s names no field %q", check.name, strings.Join(check.fields, ", "), name)
			}
		}
	}
}
