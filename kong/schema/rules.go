package schema

import (
	"slices"
	"strconv"
	"strings"
)

var flags = []string{"required", "referenceable", "encrypted", "uuid", "regex", "set"}

// rules fills in what flags and tags say, and refuses what Kong's meta-schema
// would refuse: a plugin with such a schema stops Kong from starting.
func (b *builder) rules(f *Field, m member, path string) {
	for _, flag := range m.flags {
		if !slices.Contains(flags, flag) {
			b.wrong(path, "the tag kong has an unknown flag %q", flag)
		}
	}
	f.UUID, f.IsRegex = m.has("uuid"), m.has("regex")
	f.Referenceable, f.Encrypted = m.has("referenceable"), m.has("encrypted")
	f.Match, f.StartsWith = m.tag("match"), m.tag("starts_with")
	if text := m.tag("one_of"); text != "" {
		for choice := range strings.SplitSeq(text, ",") {
			f.OneOf = append(f.OneOf, b.scalar(f, choice, path))
		}
	}
	if text := m.tag("between"); text != "" {
		low, high, _ := strings.Cut(text, ",")
		f.Between = []float64{b.number(low, path), b.number(high, path)}
	}
	if text := m.tag("gt"); text != "" {
		n := b.number(text, path)
		f.GT = &n
	}
	number := f.Type == "integer" || f.Type == "number"
	text := f.Type == "string"
	for _, rule := range []struct {
		name    string
		set, ok bool
	}{
		{"between", f.Between != nil, number},
		{"gt", f.GT != nil, number},
		{"one_of", f.OneOf != nil, number || text},
		{"match", f.Match != "", text},
		{"starts_with", f.StartsWith != "", text},
		{"uuid", f.UUID, text},
		{"regex", f.IsRegex, text},
		{"referenceable", f.Referenceable, text},
		{"encrypted", f.Encrypted, text},
	} {
		if rule.set && !rule.ok {
			b.wrong(path, "a field of type %s cannot have %s", f.Type, rule.name)
		}
	}
}

func (b *builder) number(text, path string) float64 {
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		b.wrong(path, "%q is no number", text)
	}
	return n
}

// scalar reads a word of a tag as a value of the field's type.
func (b *builder) scalar(f *Field, text, path string) any {
	switch f.Type {
	case "string":
		return text
	case "boolean":
		v, err := strconv.ParseBool(text)
		if err != nil {
			b.wrong(path, "%q is neither true nor false", text)
		}
		return v
	case "integer":
		v, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			b.wrong(path, "%q is no whole number", text)
		}
		return v
	case "number":
		return b.number(text, path)
	}
	b.wrong(path, "a field of type %s takes no value from a tag", f.Type)
	return nil
}

// defaultOf reads the tag default. A list's is its elements, joined by commas;
// an empty one is an empty list or map.
func (b *builder) defaultOf(f *Field, m member, path string) {
	text, ok := m.field.Tag.Lookup("default")
	if !ok {
		return
	}
	switch f.Type {
	case "array", "set":
		list := []any{}
		if text != "" {
			for element := range strings.SplitSeq(text, ",") {
				list = append(list, b.scalar(f.Elements, element, path))
			}
		}
		f.Default = list
	case "map", "record":
		if text != "" {
			b.wrong(path, "the default of a %s can only be empty", f.Type)
		}
		f.Default = map[string]any{}
	default:
		f.Default = b.scalar(f, text, path)
	}
	b.defaultFits(f, path)
}

// defaultFits holds a default against the rules that Kong would hold it
// against.
func (b *builder) defaultFits(f *Field, path string) {
	if f.OneOf != nil && !slices.Contains(f.OneOf, f.Default) {
		b.wrong(path, "the default %v is not among one_of", f.Default)
	}
	value, number := f.Default.(float64)
	if n, whole := f.Default.(int64); whole {
		value, number = float64(n), true
	}
	if number && f.Between != nil && (value < f.Between[0] || value > f.Between[1]) {
		b.wrong(path, "the default %v is not between %v and %v", f.Default, f.Between[0], f.Between[1])
	}
}
