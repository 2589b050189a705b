package gateway

import (
	"net/textproto"
	"strings"
)

// fields are header fields in order, each spelled as it was written. Names
// compare without case.
type fields []field

type field struct{ name, value string }

func (f fields) get(name string) string {
	for _, h := range f {
		if strings.EqualFold(h.name, name) {
			return h.value
		}
	}
	return ""
}

func (f fields) values(name string) []string {
	var values []string
	for _, h := range f {
		if strings.EqualFold(h.name, name) {
			values = append(values, h.value)
		}
	}
	return values
}

func (f fields) has(name string) bool { return f.values(name) != nil }

func (f *fields) del(name string) {
	kept := (*f)[:0:0]
	for _, h := range *f {
		if !strings.EqualFold(h.name, name) {
			kept = append(kept, h)
		}
	}
	*f = kept
}

// set replaces all values of a name; an empty name sets nothing.
func (f *fields) set(name string, values ...string) {
	f.del(name)
	for _, v := range values {
		f.add(name, v)
	}
}

func (f *fields) add(name, value string) {
	if name == "" {
		return
	}
	*f = append(*f, field{name, harmless.Replace(value)})
}

// harmless writes what would end a header field as nginx writes it.
var harmless = strings.NewReplacer("\r", "%0D", "\n", "%0A", "\x00", "%00")

// lua is the table that Kong's get_headers makes of the first most fields:
// lower-case names, a list where a name is repeated.
func (f fields) lua(most int) map[string]any {
	table := map[string]any{}
	for i, h := range f {
		if i == most {
			break
		}
		name := strings.ToLower(h.name)
		switch before := table[name].(type) {
		case nil:
			table[name] = h.value
		case string:
			table[name] = []any{before, h.value}
		case []any:
			table[name] = append(before, h.value)
		}
	}
	return table
}

// validName reports whether a plugin may use a text as a header's name.
func validName(name string) bool {
	for i := 0; i < len(name); i++ {
		if c := name[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return false
		}
	}
	return true
}

func canonical(name string) string { return textproto.CanonicalMIMEHeaderKey(name) }
