package strict

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Schema is a part of a JSON Schema of draft 4.
//
// The schemas made here keep to what Kong's validator, lua-resty-ljsonschema,
// knows, and to what makes its messages useful. It says of `oneOf` only that
// nothing fitted, and of `anyOf` everything at once; so one schema of several
// types stands where others would list alternatives, for a keyword speaks only
// of values of its own type. It says of `enum` only that it failed, and of
// `pattern` the pattern; so a choice is a pattern.
//
// That validator asks the keywords of objects first, then those of arrays, of
// strings and of numbers, then `allOf`, and it has one place for the type of
// what it looks at: a keyword that goes down into a value leaves the type of
// the part there for the keywords after it. It would measure {file: path} as
// text, and fail. So what goes down stands in `allOf`, where keywords for
// another type would follow it.
type Schema = map[string]any

// filledIn is text with a variable in it, which is judged once that is filled
// in and not before.
const filledIn = "[$][{]"

// SchemaOf describes the mapping that [Decoder.Struct] reads into these
// structs, given as pointers. What a [Raw] holds is a reference to the
// definition that the field's ref tag names.
func SchemaOf(into ...any) Schema {
	types := make([]reflect.Type, len(into))
	for i := range into {
		types[i] = reflect.TypeOf(into[i]).Elem()
	}
	return mappingSchema(types...)
}

// TextSchema describes what [Decoder.Text] reads.
func TextSchema() Schema { return scalarSchema("string") }

// ChoiceSchema describes text that is one of a few words.
func ChoiceSchema(words ...string) Schema {
	s := TextSchema()
	s["pattern"] = choice(words)
	return s
}

// Ref refers to a definition.
func Ref(name string) Schema { return Schema{"$ref": "#/definitions/" + name} }

func choice(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = regexp.QuoteMeta(word)
	}
	return "^(" + strings.Join(quoted, "|") + ")$|" + filledIn
}

func mappingSchema(types ...reflect.Type) Schema {
	properties, required := Schema{}, []any{}
	for _, t := range types {
		fields := plan(t)
		for i := range fields {
			f := &fields[i]
			s := valueSchema(f)
			if f.required {
				required = append(required, f.name)
				notEmpty(s)
			} else {
				s = orNull(s)
			}
			if _, reference := s["$ref"]; f.doc != "" && !reference {
				s["description"] = f.doc
			}
			properties[f.name] = s
		}
	}
	s := Schema{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// notEmpty is the other half of required.
func notEmpty(s Schema) {
	kinds, several := s["type"].([]any)
	if !several {
		kinds = []any{s["type"]}
	}
	if slices.Contains(kinds, any("string")) {
		s["minLength"] = 1
	}
	if slices.Contains(kinds, any("array")) {
		s["minItems"] = 1
	}
}

// orNull lets null stand for an absent key.
func orNull(s Schema) Schema {
	switch t := s["type"].(type) {
	case string:
		s["type"] = []any{t, "null"}
	case []any:
		s["type"] = append(slices.Clone(t), "null")
	default:
		return Schema{"anyOf": []any{s, Schema{"type": "null"}}}
	}
	return s
}

func valueSchema(f *field) Schema {
	switch f.typ {
	case rawType:
		return Ref(f.ref)
	case secretType:
		return TextSchema()
	case durationType:
		s := TextSchema()
		s["pattern"] = "^[+]?([0-9.]+(ns|us|µs|μs|ms|s|m|h))+$|^[+]?0$|" + filledIn
		return s
	}
	of := *f
	switch f.typ.Kind() {
	case reflect.Pointer:
		of.typ = f.typ.Elem()
		return valueSchema(&of)
	case reflect.Struct:
		return mappingSchema(f.typ)
	case reflect.Map:
		of.typ = f.typ.Elem()
		return Schema{"type": "object", "additionalProperties": valueSchema(&of)}
	case reflect.Slice:
		of.typ, of.split = f.typ.Elem(), false
		s := Schema{"type": "array", "items": valueSchema(&of)}
		if f.split {
			file := fileSchema()
			if !f.required {
				delete(file, "required") // Lua's empty list looks like an empty object
			}
			return Schema{"type": []any{"array", "string", "object"}, "allOf": []any{Schema{"items": s["items"]}, file}}
		}
		return s
	case reflect.String:
		s := TextSchema()
		if f.enum != nil {
			s["pattern"] = choice(f.enum)
		}
		return s
	case reflect.Bool:
		return scalarSchema("boolean")
	case reflect.Float64:
		return bounds(scalarSchema("number"), f)
	}
	return bounds(scalarSchema("integer"), f)
}

// scalarSchema is a scalar as it stands, text that a variable is filled into,
// or {file: path}.
func scalarSchema(kind string) Schema {
	s := Schema{"type": []any{kind, "object"}, "allOf": []any{fileSchema()}}
	if kind != "string" {
		s["type"], s["pattern"] = []any{kind, "string", "object"}, filledIn
	}
	return s
}

// fileSchema is {file: path}, where the value is an object.
func fileSchema() Schema {
	return Schema{
		"properties":           Schema{"file": Schema{"type": "string", "minLength": 1}},
		"required":             []any{"file"},
		"additionalProperties": false,
	}
}

func bounds(s Schema, f *field) Schema {
	number := func(v reflect.Value) any {
		if v.CanInt() {
			return v.Int()
		}
		return v.Float()
	}
	if f.low.IsValid() {
		s["minimum"] = number(f.low)
	}
	if f.high.IsValid() {
		s["maximum"] = number(f.high)
	}
	return s
}
