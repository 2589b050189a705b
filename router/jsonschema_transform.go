package router

import "github.com/kong/keg/router/strict"

// transformSchemas are the definitions that a transform is made of.
func transformSchemas() strict.Schema {
	expression := strict.TextSchema()
	expression["minLength"] = 1
	expression["description"] = "A CEL expression over type, source, id, subject, time, extensions, headers and data."
	transform := strict.SchemaOf(&transformKeys{})
	transform["minProperties"] = 1
	removable := []string{"data", "id", "source", "specversion", "type"}
	name := strict.TextSchema()
	name["pattern"] = except(removable) + "|[$][{]"
	attributes := strict.Schema{except([]string{"data", "specversion"}): strict.Ref("computed")}
	aliases := strict.Schema{}
	for _, alias := range []string{"event_type", "event_source", "event_id"} {
		aliases[alias] = strict.Ref("computed")
	}
	return strict.Schema{
		"expression": expression,
		"transform":  transform,
		"computed": strict.Schema{
			"description": "Text, or {cel: expression}.",
			"type":        []any{"string", "object"},
			"allOf": []any{strict.Schema{
				"properties": strict.Schema{
					"cel":  strict.Ref("expression"),
					"file": strict.Schema{"type": "string", "minLength": 1},
				},
				"minProperties": 1, "additionalProperties": false,
				"not": strict.Schema{"type": "object", "required": []any{"cel", "file"}},
			}},
		},
		"set": strict.Schema{
			"type": "object", "properties": aliases, "patternProperties": attributes, "additionalProperties": false,
		},
		"set_headers": strict.Schema{"type": "object", "additionalProperties": strict.Ref("computed")},
		"remove":      strict.Schema{"type": "array", "items": name},
	}
}
