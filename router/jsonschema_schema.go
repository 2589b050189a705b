package router

import (
	"maps"
	"strings"

	"github.com/kong/keg/router/strict"
)

// schemaSchema describes `schema` of a route. That what stands in it is a JSON
// Schema, the compiler sees.
func schemaSchema() strict.Schema {
	// No property is named `id` or `$ref`: a validator that collects those of a
	// schema may take the property for one.
	keyword := "^(" + strings.ReplaceAll(strings.Join(keywords, "|"), "$", "[$]") + ")$"
	inline := strict.Schema{"type": []any{"object", "null"}}
	file := strict.Schema{"type": []any{"string", "null"}}
	alone := strict.Schema{"file": file, "inline": inline, "on_violation": onViolationSchema()}
	named := strict.Schema{"required": []any{"file"}}
	stands := strict.Schema{"required": []any{"inline"}}
	return strict.Schema{
		"type": "object", "minProperties": 1, "properties": maps.Clone(alone),
		"patternProperties": strict.Schema{keyword: strict.Schema{}, "^x-": strict.Schema{}}, "additionalProperties": false,
		"allOf": []any{strict.Schema{"anyOf": []any{
			strict.Schema{"not": strict.Schema{"anyOf": []any{named, stands}}},
			strict.Schema{"properties": alone, "additionalProperties": false},
		}}},
	}
}

func onViolationSchema() strict.Schema {
	s := strict.ChoiceSchema(string(ViolationReject), string(ViolationDeadLetter), string(ViolationPass))
	s["type"] = []any{"string", "object", "null"}
	return s
}
