package schema

import (
	"bytes"
	"encoding/json"
	"reflect"
)

// refusal makes Kong answer any value of a field that is refused with the
// tag's text; of a boolean, the value that is not its default.
func (b *builder) refusal(f *Field, m member, path string) {
	text := m.tag("refused")
	if text == "" {
		return
	}
	if _, ok := m.field.Tag.Lookup("default"); ok && f.Type != "boolean" || f.MustBeSet() || f.LenMax != nil {
		b.wrong(path, "a field that is refused can have no default, no len_max, and not be required")
	}
	f.Err = text
	if f.Type == "record" {
		f.Required = new(false)
	}
	switch f.Type {
	case "boolean":
		f.Ne = json.RawMessage(m.refusedBool())
	case "array", "set", "map":
		f.LenMax = new(int)
	case "json":
		b.wrong(path, "Kong holds a field of type json against nothing but its JSON Schema")
	default:
		f.Eq = json.RawMessage("null")
	}
}

// decodeMember decodes a member of a record, unless it is refused.
func decodeMember(m member, text json.RawMessage, v reflect.Value, path string) error {
	why := m.tag("refused")
	if why == "" {
		return decode(text, v, path)
	}
	text = bytes.TrimSpace(text)
	if v.Kind() == reflect.Bool && string(text) != m.refusedBool() {
		return decode(text, v, path)
	}
	if string(text) == "null" || isEmptyList(text) || isEmptyObject(text) {
		return nil
	}
	return problem(path, why)
}

// refusedBool is what a boolean that is refused may not be.
func (m member) refusedBool() string {
	if m.tag("default") == "true" {
		return "false"
	}
	return "true"
}
