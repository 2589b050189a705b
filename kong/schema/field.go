package schema

import "encoding/json"

// Plugin is the schema of one plugin, as Kong's query command gives it.
type Plugin struct {
	Name   string  `json:"name"`
	Fields []Named `json:"fields"`
}

// Named is one field of a record, which Kong writes as an object of one key.
type Named struct {
	Name  string
	Field *Field
}

// MarshalJSON writes {"name": {...}}.
func (n Named) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]*Field{n.Name: n.Field})
}

// Field is the schema of one field. What is zero is not written, but for
// Default, which is written unless it is nil.
type Field struct {
	Type          string          `json:"type"`
	Description   string          `json:"description,omitempty"`
	Required      *bool           `json:"required,omitempty"` // nil: as Kong has it, see the package comment
	Default       any             `json:"default,omitempty"`
	OneOf         []any           `json:"one_of,omitempty"`
	Between       []float64       `json:"between,omitempty"`
	GT            *float64        `json:"gt,omitempty"`
	Match         string          `json:"match,omitempty"`
	StartsWith    string          `json:"starts_with,omitempty"`
	LenMin        *int            `json:"len_min,omitempty"`
	LenMax        *int            `json:"len_max,omitempty"`
	UUID          bool            `json:"uuid,omitempty"`
	IsRegex       bool            `json:"is_regex,omitempty"`
	Referenceable bool            `json:"referenceable,omitempty"`
	Encrypted     bool            `json:"encrypted,omitempty"`
	Elements      *Field          `json:"elements,omitempty"`
	Keys          *Field          `json:"keys,omitempty"`
	Values        *Field          `json:"values,omitempty"`
	JSONSchema    *JSONSchema     `json:"json_schema,omitempty"`
	EntityChecks  []EntityCheck   `json:"entity_checks,omitempty"`
	Eq            json.RawMessage `json:"eq,omitempty"`
	Ne            json.RawMessage `json:"ne,omitempty"`
	Err           string          `json:"err,omitempty"`
	Fields        *[]Named        `json:"fields,omitempty"`
}

// MustBeSet reports whether Kong refuses a config without the field.
func (f *Field) MustBeSet() bool { return f.Required != nil && *f.Required }

// JSONSchema is what validates a field of type json: JSON Schema, draft 4.
type JSONSchema struct {
	Inline any `json:"inline"`
}

// JSONSchemer is a config that has fields of type json.RawMessage. It returns
// the JSON Schema (draft 4, no $ref to anything outside) of each by its path
// below config ("routes", "defaults.retry").
type JSONSchemer interface {
	JSONSchemas() map[string]any
}
