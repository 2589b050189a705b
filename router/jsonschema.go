package router

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/kong/keg"
	"github.com/kong/keg/router/strict"
)

// JSONSchema describes the `routes` list for destinations of these types, in
// draft 4 of JSON Schema, which is what Kong's Admin API validates with. It
// refuses every key that [ParseRoutes] refuses, and takes all that it takes;
// what only a compiler can judge, such as a `when`, it leaves to it.
func JSONSchema(types []keg.DestinationType) map[string]any {
	definitions := strict.Schema{
		"route":        strict.SchemaOf(&routeKeys{}),
		"match":        matchSchema(),
		"matches":      strict.Schema{"type": "array", "minItems": 1, "items": strict.Ref("match")},
		"value":        valueSchema("value", strict.Schema{"type": []any{"number", "string"}, "pattern": "[$][{]"}),
		"time":         valueSchema("time", strict.TextSchema()),
		"destinations": strict.Schema{"type": "array", "minItems": 1, "items": strict.Ref("destination")},
	}
	maps.Copy(definitions, transformSchemas())
	definitions["schema"] = schemaSchema()
	for _, dt := range types {
		s := strict.SchemaOf(&destinationKeys{}, dt.New())
		if dt.Doc != "" {
			s["description"] = dt.Doc
		}
		if properties := s["properties"].(strict.Schema); len(dt.Formats) > 0 {
			format := strict.ChoiceSchema(words(dt.Formats)...)
			format["type"] = []any{"string", "object", "null"}
			properties["format"] = format
		}
		definitions["destination_"+dt.Name] = s
	}
	definitions["destination"] = destinationSchema(types, definitions)
	return strict.Schema{
		"$schema":     "http://json-schema.org/draft-04/schema#",
		"description": "The routes, in order.",
		"type":        "array",
		"items":       strict.Ref("route"),
		"definitions": definitions,
	}
}

func words(formats []keg.Format) []string {
	words := make([]string, len(formats))
	for i, f := range formats {
		words[i] = string(f)
	}
	return words
}

// destinationSchema knows the keys of all types, so that a message can name the
// one that is none of them, and what is wrong with one that means the same
// everywhere. Then it asks the schema of the type that the destination has: it
// fits, or the type is another; of that no message tells more than that it does
// not fit.
func destinationSchema(types []keg.DestinationType, definitions strict.Schema) strict.Schema {
	var names []string
	var each, required []any
	properties := strict.Schema{}
	for i, dt := range types {
		names = append(names, dt.Name)
		another := strict.Schema{"not": strict.Schema{"properties": strict.Schema{"type": strict.Schema{"enum": []any{dt.Name}}}}}
		each = append(each, strict.Schema{"anyOf": []any{another, strict.Ref("destination_" + dt.Name)}})
		own := definitions["destination_"+dt.Name].(strict.Schema)
		for name, property := range own["properties"].(strict.Schema) {
			properties[name] = shared(properties[name], property.(strict.Schema))
		}
		needs, _ := own["required"].([]any)
		required = slices.DeleteFunc(required, func(name any) bool { return !slices.Contains(needs, name) })
		if i == 0 {
			required = slices.Clone(needs)
		}
	}
	properties["type"] = strict.ChoiceSchema(names...)
	s := strict.Schema{
		"type":                 "object",
		"required":             []any{"type"},
		"properties":           properties,
		"additionalProperties": false,
	}
	if len(each) > 0 {
		s["allOf"], s["required"] = each, required
	}
	return s
}

// shared is what two types of destination say alike of a key.
func shared(known any, property strict.Schema) strict.Schema {
	bare := maps.Clone(property)
	delete(bare, "description") // each type describes it in its own words
	if known != nil && !reflect.DeepEqual(known, bare) {
		return strict.Schema{}
	}
	return bare
}

func matchSchema() strict.Schema {
	properties := strict.Schema{
		"all":  strict.Ref("matches"),
		"any":  strict.Ref("matches"),
		"not":  strict.Ref("match"),
		"when": strict.Ref("expression"),
		"time": strict.Ref("time"),
	}
	for _, name := range []string{"event_type", "event_source", "event_id"} {
		properties[name] = strict.Ref("value")
	}
	reserved := []string{"data", "headers"}
	for name := range properties {
		if isAttributeName(name) {
			reserved = append(reserved, name)
		}
	}
	return strict.Schema{
		"type":       "object",
		"properties": properties,
		"patternProperties": strict.Schema{
			"^data[.].":      strict.Ref("value"),
			"^headers[.].":   strict.Ref("value"),
			except(reserved): strict.Ref("value"),
		},
		"additionalProperties": false,
	}
}

// valueSchema describes what stands behind a key of a match: a plain value, a
// list of alternatives, or operators.
func valueSchema(self string, order strict.Schema) strict.Schema {
	properties := strict.Schema{
		"file":         strict.Schema{"type": "string", "minLength": 1},
		"anything_but": strict.Ref(self),
		"exists":       strict.Schema{"type": []any{"boolean", "string"}, "pattern": "[$][{]"},
	}
	for _, name := range operators {
		switch _, ordering := comparisons[name]; {
		case ordering:
			properties[name] = order
		case properties[name] == nil:
			text := strict.TextSchema()
			text["minLength"] = 1
			properties[name] = text
		}
	}
	plain := []any{"string", "number", "boolean", "null", "array", "object"}
	if self == "time" {
		plain = []any{"string", "array", "object"}
	}
	return strict.Schema{
		"type":  plain,
		"items": strict.Ref(self), "minItems": 1,
		"allOf": []any{strict.Schema{"properties": properties, "minProperties": 1, "additionalProperties": false}},
	}
}

// except is a pattern of all attribute names but the given ones. Draft 4 asks
// a pattern's schema also of keys that are listed by name, and no pattern
// language that both Kong and Go read can say "but not".
func except(names []string) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	names = slices.Sorted(slices.Values(names))
	others := map[string]string{} // by how a reserved name begins: what may not follow
	for _, name := range names {
		for i := range name {
			if !strings.ContainsRune(others[name[:i]], rune(name[i])) {
				others[name[:i]] += name[i : i+1]
			}
		}
	}
	var alternatives []string
	for _, start := range slices.Sorted(maps.Keys(others)) {
		if start != "" && !slices.Contains(names, start) {
			alternatives = append(alternatives, regexp.QuoteMeta(start))
		}
		free := strings.Map(func(r rune) rune {
			if strings.ContainsRune(others[start], r) {
				return -1
			}
			return r
		}, letters)
		alternatives = append(alternatives, start+"["+free+"][a-z0-9]*")
	}
	for _, name := range names {
		if _, longer := others[name]; !longer {
			alternatives = append(alternatives, name+"[a-z0-9]+")
		}
	}
	return "^(" + strings.Join(alternatives, "|") + ")$"
}
