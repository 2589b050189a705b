package schema

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Of makes the schema of the plugin of that name from its config, a pointer to
// a struct. Its error names every field that Kong would not take.
func Of(name string, config any) (*Plugin, error) {
	t := reflect.TypeOf(config)
	if t == nil || t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("a config is a pointer to a struct, not %T", config)
	}
	b := builder{}
	if c, ok := config.(JSONSchemer); ok {
		b.json = c.JSONSchemas()
	}
	record := &Field{Type: "record"}
	b.record(record, t.Elem(), "config")
	b.entityChecks(record, config, "config")
	if err := errors.Join(b.errs...); err != nil {
		return nil, err
	}
	return &Plugin{Name: name, Fields: []Named{{"config", record}}}, nil
}

type builder struct {
	json map[string]any
	errs []error
}

func (b *builder) wrong(path, format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

func (b *builder) record(f *Field, t reflect.Type, path string) {
	fields := []Named{}
	for _, m := range membersOf(t) {
		if m.has("unlisted") {
			continue
		}
		fields = append(fields, Named{m.name, b.field(m, path+"."+m.name)})
	}
	f.Fields = &fields
}

func (b *builder) field(m member, path string) *Field {
	f := b.typed(m.field.Type, path)
	f.Description = m.tag("doc")
	if n := len(f.Description); n < 10 || n > 500 {
		b.wrong(path, "the tag doc has %d bytes; Kong takes 10 to 500", n)
	}
	f.Required = m.has("required")
	if m.has("set") {
		if f.Type != "array" {
			b.wrong(path, "only a list is a set")
		}
		f.Type = "set"
	}
	f.LenMin = b.whole(m, "len_min", path)
	f.LenMax = b.whole(m, "len_max", path)
	b.rules(ruled(f), m, path)
	b.refusal(f, m, path)
	b.defaultOf(f, m, path)
	return f
}

// ruled returns the field that rules are for: a list's elements, a map's
// values, or the field itself.
func ruled(f *Field) *Field {
	switch {
	case f.Elements != nil:
		return f.Elements
	case f.Values != nil:
		return f.Values
	}
	return f
}

var (
	rawJSON  = reflect.TypeFor[json.RawMessage]()
	textType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// typed makes the part of a field that its Go type says.
func (b *builder) typed(t reflect.Type, path string) *Field {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == rawJSON:
		return b.jsonField(path)
	case reflect.PointerTo(t).Implements(textType):
		return &Field{Type: "string"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return &Field{Type: "boolean"}
	case reflect.String:
		return &Field{Type: "string"}
	case reflect.Int, reflect.Int32, reflect.Int64:
		return &Field{Type: "integer"}
	case reflect.Float64:
		return &Field{Type: "number"}
	case reflect.Slice:
		return &Field{Type: "array", Elements: b.typed(t.Elem(), path)}
	case reflect.Map:
		if t.Key().Kind() == reflect.String {
			return &Field{Type: "map", Keys: &Field{Type: "string"}, Values: b.typed(t.Elem(), path)}
		}
	case reflect.Struct:
		f := &Field{Type: "record"}
		b.record(f, t, path)
		b.entityChecks(f, reflect.New(t).Interface(), path)
		return f
	}
	b.wrong(path, "Kong has no type for Go's %s", t)
	return &Field{}
}

const draft4 = "http://json-schema.org/draft-04/schema"

func (b *builder) jsonField(path string) *Field {
	inline, ok := b.json[strings.TrimPrefix(path, "config.")]
	if !ok {
		b.wrong(path, "a field of type json.RawMessage needs a JSON Schema: see JSONSchemer")
	}
	if object, ok := inline.(map[string]any); ok {
		if dialect, ok := object["$schema"]; ok && dialect != draft4 && dialect != draft4+"#" {
			b.wrong(path, "its JSON Schema is of %v; Kong knows %s#", dialect, draft4)
		}
	}
	return &Field{Type: "json", JSONSchema: &JSONSchema{inline}}
}

func (b *builder) whole(m member, tag, path string) *int {
	text, ok := m.field.Tag.Lookup(tag)
	if !ok {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.wrong(path, "the tag %s is no whole number", tag)
	}
	return &n
}
