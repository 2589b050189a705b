package declarative

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// pretty writes errors as Kong's messages show them: as a Lua table on one
// line, {services={{name="expected a string"}}}.
func pretty(v any) string {
	var b strings.Builder
	writeLua(&b, v, "", "")
	return b.String()
}

// prettyLines is pretty over several lines, for what lies inside one field's
// errors; a text stays as it is.
func prettyLines(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	var b strings.Builder
	writeLua(&b, v, "  ", "\n")
	return b.String()
}

var luaName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// writeLua writes v as a Lua table; indent is one level's indentation, newline
// the line break with what is indented already, or both are empty.
func writeLua(b *strings.Builder, v any, indent, newline string) {
	type member struct {
		key   string
		value any
	}
	var members []member
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
		return
	case string:
		b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(v) + `"`)
		return
	case []any:
		gap := false
		for i, item := range v {
			switch {
			case item == nil:
				gap = true
			case gap:
				members = append(members, member{"[" + strconv.Itoa(i+1) + "]", item})
			default:
				members = append(members, member{"", item})
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			name := key
			if !luaName.MatchString(key) {
				name = `["` + key + `"]`
			}
			members = append(members, member{name, v[key]})
		}
	}
	equals := "="
	inner := newline
	if newline != "" {
		equals, inner = " = ", newline+indent
	}
	b.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(inner)
		if m.key != "" {
			b.WriteString(m.key + equals)
		}
		writeLua(b, m.value, indent, inner)
	}
	if len(members) > 0 {
		b.WriteString(newline)
	}
	b.WriteByte('}')
}
