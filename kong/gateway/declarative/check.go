package declarative

import (
	"math"
)

// Kong's texts, where more than one place says them.
const (
	requiredMissing = "required field missing"
	unknownField    = "unknown field"
)

// check returns nil for a good value; otherwise a text, or for a record, list
// or map the problems of its members by name or place.
func (f *Field) check(value any) any {
	if value == nil {
		if problem := f.nullProblem(); problem != "" {
			return problem
		}
		return nil
	}
	if f.Eq.is(nil) {
		return f.worded("value must be null")
	}
	if f.Referenceable && isReference(value) {
		return nil
	}
	var problem any
	switch f.Type {
	case "string":
		if _, ok := value.(string); !ok {
			return "expected a string"
		}
	case "number":
		if _, ok := value.(float64); !ok {
			return "expected a number"
		}
	case "integer":
		if n, ok := value.(float64); !ok || n != math.Floor(n) {
			return "expected an integer"
		}
	case "boolean":
		if _, ok := value.(bool); !ok {
			return "expected a boolean"
		}
	case "array":
		problem = f.checkList(value, "expected an array")
	case "set":
		problem = f.checkList(value, "expected a set")
	case "map":
		problem = f.checkMap(value)
	case "record":
		problem = f.checkRecord(value)
	case "json":
		problem = f.checkJSON(value)
	}
	if problem != nil {
		return problem
	}
	if text := f.worded(f.constraint(value)); text != "" {
		return text
	}
	return nil
}

// checkList takes an empty record for an empty list, as Lua must.
func (f *Field) checkList(value any, wrongType string) any {
	list, ok := asList(value)
	if !ok {
		return wrongType
	}
	return problemsOf(list, f.Elements.check)
}

// problemsOf are the problems of a list's items by their places, nil where no
// item has any.
func problemsOf(list []any, check func(any) any) any {
	var problems []any
	for i, item := range list {
		if problem := check(item); problem != nil {
			for len(problems) < i {
				problems = append(problems, nil)
			}
			problems = append(problems, problem)
		}
	}
	if problems == nil {
		return nil
	}
	return problems
}

func (f *Field) checkMap(value any) any {
	record, ok := asRecord(value)
	if !ok {
		return "expected a map"
	}
	problems := map[string]any{}
	for key, item := range record {
		if problem := f.Keys.check(key); problem != nil {
			problems[key] = problem
		} else if problem := f.Values.check(item); problem != nil {
			problems[key] = problem
		}
	}
	return orNothing(problems)
}

func (f *Field) checkRecord(value any) any {
	record, ok := asRecord(value)
	if !ok {
		return "expected a record"
	}
	problems := map[string]any{}
	for key := range record {
		if f.member(key) == nil {
			problems[key] = unknownField
		}
	}
	for _, member := range f.Fields {
		value, written := record[member.Name]
		if !written {
			value = member.fill(nil)
		}
		if problem := member.check(value); problem != nil {
			problems[member.Name] = problem
		}
	}
	f.checkEntity(f.fillRecord(record), problems)
	return orNothing(problems)
}

// member returns the field of a record by name, or nil.
func (f *Field) member(name string) *Field {
	for _, member := range f.Fields {
		if member.Name == name {
			return member.Field
		}
	}
	return nil
}

func asList(value any) ([]any, bool) {
	if list, ok := value.([]any); ok {
		return list, true
	}
	if record, ok := value.(map[string]any); ok && len(record) == 0 {
		return nil, true
	}
	return nil, false
}

func asRecord(value any) (map[string]any, bool) {
	if record, ok := value.(map[string]any); ok {
		return record, true
	}
	if list, ok := value.([]any); ok && len(list) == 0 {
		return map[string]any{}, true
	}
	return nil, false
}

func orNothing(problems map[string]any) any {
	if len(problems) == 0 {
		return nil
	}
	return problems
}
