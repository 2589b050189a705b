package declarative

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// checkEntity runs the rules between a record's fields, and adds what they
// find to problems: under "@entity", or for a conditional rule at its field.
func (f *Field) checkEntity(record, problems map[string]any) {
	for _, check := range f.EntityChecks {
		for name, argument := range check {
			f.entityCheck(name, argument, record, problems)
		}
	}
}

// condition is the argument of a conditional rule.
type condition struct {
	IfField          string   `json:"if_field"`
	IfMatch          Field    `json:"if_match"`
	ThenField        string   `json:"then_field"`
	ThenMatch        Field    `json:"then_match"`
	ThenErr          string   `json:"then_err"`
	ThenAtLeastOneOf []string `json:"then_at_least_one_of"`
}

func (f *Field) entityCheck(name string, argument json.RawMessage, record, problems map[string]any) {
	fail := func(format string, args ...any) {
		list, _ := problems["@entity"].([]any)
		problems["@entity"] = append(list, fmt.Sprintf(format, args...))
	}
	if strings.HasPrefix(name, "conditional") {
		f.conditional(name, argument, record, problems, fail)
		return
	}
	var names []string
	if err := json.Unmarshal(argument, &names); err != nil {
		fail("the entity check %s takes a list of field names", name)
		return
	}
	var set []any
	for _, field := range names {
		if value := at(record, field); !isEmpty(value) {
			set = append(set, value)
		}
	}
	quoted := quote(names)
	switch name {
	case "at_least_one_of":
		if len(set) == 0 {
			fail("at least one of these fields must be non-empty: %s", quoted)
		}
	case "only_one_of":
		if len(set) != 1 {
			fail("exactly one of these fields must be non-empty: %s", quoted)
		}
	case "mutually_required":
		if len(set) != 0 && len(set) != len(names) {
			fail("all or none of these fields must be set: %s", quoted)
		}
	case "mutually_exclusive":
		if len(set) > 1 {
			fail("only one or none of these fields must be set: %s", quoted)
		}
	case "distinct":
		for i, value := range set {
			if containsScalar(set[:i], value) {
				fail("values of these fields must be distinct: %s", quoted)
				return
			}
		}
	default:
		fail("the stand-in does not know the entity check %s", name)
	}
}

func (f *Field) conditional(name string, argument json.RawMessage, record, problems map[string]any, fail func(string, ...any)) {
	var c condition
	if err := json.Unmarshal(argument, &c); err != nil {
		fail("the entity check %s is not valid", name)
		return
	}
	ifValue := at(record, c.IfField)
	c.IfMatch.inherit(f.member(c.IfField))
	if c.IfMatch.check(ifValue) != nil { // a null, too, may match: Kong's rules for values pass it
		return
	}
	switch name {
	case "conditional":
		c.ThenMatch.inherit(f.member(c.ThenField))
		problem := c.ThenMatch.check(at(record, c.ThenField))
		if problem == nil {
			return
		}
		if problems[c.ThenField] == nil {
			problems[c.ThenField] = problem
		}
		if c.ThenErr != "" {
			fail("%s", strings.ReplaceAll(c.ThenErr, "%s", c.IfField))
			return
		}
		fail("failed conditional validation given value of field '%s'", c.IfField)
	case "conditional_at_least_one_of":
		if !slices.ContainsFunc(c.ThenAtLeastOneOf, func(n string) bool { return !isEmpty(at(record, n)) }) {
			fail("at least one of these fields must be non-empty: %s", quote(c.ThenAtLeastOneOf))
		}
	default:
		fail("the stand-in does not know the entity check %s", name)
	}
}

// inherit gives a match its field's own type and parts.
func (f *Field) inherit(from *Field) {
	if from == nil {
		return
	}
	f.Type = from.Type
	f.Elements, f.Keys, f.Values, f.Fields, f.compiled = from.Elements, from.Keys, from.Values, from.Fields, from.compiled
}

// at returns the value at a path such as "redis.host".
func at(record map[string]any, path string) any {
	head, rest, nested := strings.Cut(path, ".")
	if !nested {
		return record[path]
	}
	inner, _ := record[head].(map[string]any)
	return at(inner, rest)
}

func isEmpty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

func quote(names []string) string { return "'" + strings.Join(names, "', '") + "'" }
