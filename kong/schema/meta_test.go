package schema_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// metaSchema checks a plugin's schema, as decoded JSON, by the rules of Kong's
// own meta-schema (kong/db/schema/metaschema.lua, 3.9): a schema that it
// refuses stops Kong from starting. It returns every problem.
func metaSchema(plugin map[string]any) []string {
	var c checker
	if name, ok := plugin["name"].(string); !ok || name == "" {
		c.problem("", "name: required field missing")
	}
	for key := range plugin {
		if key != "name" && key != "fields" && key != "entity_checks" {
			c.problem("", "%s: unknown field", key)
		}
	}
	c.fields("", plugin["fields"])
	c.entityChecks("", plugin)
	return c.problems
}

type checker struct{ problems []string }

func (c *checker) problem(path, format string, args ...any) {
	c.problems = append(c.problems, path+": "+fmt.Sprintf(format, args...))
}

// Kong's tables: which types there are, what each must declare, and which
// types an attribute is for.
var (
	validTypes = []string{"array", "boolean", "foreign", "function", "integer", "json", "map", "number", "record", "set", "string"}
	mustHave   = map[string][]string{
		"array": {"elements"}, "set": {"elements"}, "map": {"keys", "values"}, "record": {"fields"}, "json": {"json_schema"},
	}
	onlyFor = map[string][]string{
		"between":     {"integer", "number"},
		"len_eq":      {"array", "set", "string", "map"},
		"match":       {"string"},
		"one_of":      {"string", "number", "integer"},
		"contains":    {"array", "set"},
		"is_regex":    {"string"},
		"timestamp":   {"number", "integer"},
		"uuid":        {"string"},
		"unique":      {"string", "number", "integer", "foreign"},
		"json_schema": {"json"},
	}
)

// attributes are those that a field may have, with the check of their value.
var attributes = map[string]func(any) bool{
	"type": isString, "required": isBool, "description": isDescription, "default": isAny, "unique": isBool,
	"encrypted": isBool, "referenceable": isBool, "err": isString, "abstract": isBool, "immutable": isBool, "examples": isList,
	"between": isPair, "eq": isAny, "ne": isAny, "gt": isNumber, "len_eq": isInteger, "len_min": isInteger, "len_max": isInteger,
	"match": isString, "not_match": isString, "starts_with": isString, "one_of": isList, "not_one_of": isList, "contains": isAny,
	"is_regex": isBool, "timestamp": isBool, "uuid": isBool,
	"elements": isAny, "keys": isAny, "values": isAny, "fields": isAny, "json_schema": isAny, "entity_checks": isList,
}

func isAny(any) bool      { return true }
func isString(v any) bool { _, ok := v.(string); return ok }
func isBool(v any) bool   { _, ok := v.(bool); return ok }
func isNumber(v any) bool { _, ok := v.(float64); return ok }
func isList(v any) bool   { _, ok := v.([]any); return ok }
func isInteger(v any) bool {
	f, ok := v.(float64)
	return ok && f == math.Trunc(f)
}
func isPair(v any) bool {
	l, ok := v.([]any)
	return ok && len(l) == 2 && isNumber(l[0]) && isNumber(l[1])
}
func isDescription(v any) bool {
	s, ok := v.(string)
	return ok && len(s) >= 10 && len(s) <= 500 // Lua counts bytes
}

func (c *checker) fields(path string, v any) {
	list, ok := v.([]any)
	if !ok {
		c.problem(path, "'fields' must be a table")
		return
	}
	for i, item := range list {
		entry, ok := item.(map[string]any)
		if !ok || len(entry) != 1 {
			c.problem(path, "entry %d of fields must have one key", i+1)
			continue
		}
		for name, field := range entry {
			c.field(path+"."+name, field)
		}
	}
}

func (c *checker) field(path string, v any) {
	field, ok := v.(map[string]any)
	if !ok {
		c.problem(path, "must be a table")
		return
	}
	kind, _ := field["type"].(string)
	if !slices.Contains(validTypes, kind) {
		c.problem(path, "missing type declaration: %q", kind)
		return
	}
	for _, name := range mustHave[kind] {
		if field[name] == nil {
			c.problem(path, "field of type '%s' must declare '%s'", kind, name)
		}
	}
	for name, value := range field {
		check := attributes[name]
		switch types := onlyFor[name]; {
		case check == nil:
			c.problem(path, "unknown attribute '%s'", name)
		case !check(value):
			c.problem(path, "bad value of '%s': %v", name, value)
		case types != nil && !slices.Contains(types, kind):
			c.problem(path, "field of type '%s' cannot have attribute '%s'", kind, name)
		}
	}
	for _, name := range []string{"elements", "keys", "values"} {
		if nested, ok := field[name]; ok {
			c.field(path+"."+name, nested)
		}
	}
	if nested, ok := field["fields"]; ok {
		c.fields(path, nested)
	}
	c.entityChecks(path, field)
	if value, ok := field["default"]; ok && !fits(field, value) {
		c.problem(path, "the default %v does not fit", value)
	}
	if document, ok := field["json_schema"].(map[string]any); ok {
		c.jsonSchema(path, document)
	}
}

// fits is as much of Kong's own validation as defaults need.
func fits(field map[string]any, value any) bool {
	if choices, ok := field["one_of"].([]any); ok && !slices.Contains(choices, value) {
		return false
	}
	if pair, ok := field["between"].([]any); ok {
		if n, ok := value.(float64); !ok || n < pair[0].(float64) || n > pair[1].(float64) {
			return false
		}
	}
	switch field["type"] {
	case "string":
		return isString(value)
	case "boolean":
		return isBool(value)
	case "integer":
		return isInteger(value)
	case "number":
		return isNumber(value)
	case "array", "set":
		list, ok := value.([]any)
		for _, element := range list {
			ok = ok && fits(field["elements"].(map[string]any), element)
		}
		return ok
	case "map", "record":
		_, ok := value.(map[string]any)
		return ok
	}
	return true
}

// jsonSchema: inline alone, and of draft 4.
func (c *checker) jsonSchema(path string, document map[string]any) {
	inline, ok := document["inline"].(map[string]any)
	if !ok || len(document) != 1 {
		c.problem(path, "json_schema must be an inline one")
		return
	}
	if dialect, ok := inline["$schema"]; ok && dialect != "http://json-schema.org/draft-04/schema#" && dialect != "http://json-schema.org/draft-04/schema" {
		c.problem(path, "unsupported document $schema: %v", dialect)
		return
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft4)
	if err := compiler.AddResource("mem:schema", inline); err != nil {
		c.problem(path, "json_schema: %v", err)
		return
	}
	if _, err := compiler.Compile("mem:schema"); err != nil {
		c.problem(path, "json_schema: %v", err)
	}
}

func decoded(v any) map[string]any {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		panic(err)
	}
	return out
}
