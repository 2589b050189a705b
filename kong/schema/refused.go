package schema

import (
	"bytes"
	"encoding/json"
	"reflect"
)

// refusal makes Kong answer any value of a field that is refused with the
// tag's text.
func (b *builder) refusal(f *Field, m member, path string) {
	text := m.tag("refused")
	if text == "" {
		return
	}
	if _, ok := m.field.Tag.Lookup("default"); ok || f.Required || f.LenMax != nil {
		b.wrong(path, "a field that is refused can have no default, no len_max, and not be required")
	}
	f.Err = text
	switch f.Type {
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
	if string(text) == "null" || isEmptyList(text) || isEmptyObject(text) {
		return nil
	}
	return problem(path, why)
}
