package schema

import (
	"reflect"
	"slices"
	"strings"
)

// member is a field of a struct that Kong knows.
type member struct {
	name  string
	flags []string
	field reflect.StructField
	index []int
}

func (m member) has(flag string) bool { return slices.Contains(m.flags, flag) }

func (m member) tag(name string) string { return m.field.Tag.Get(name) }

// membersOf returns the members of a struct in order, those of embedded
// structs in their place.
func membersOf(t reflect.Type) []member {
	var members []member
	for _, f := range reflect.VisibleFields(t) {
		tag, ok := f.Tag.Lookup("kong")
		if !ok || !f.IsExported() {
			continue
		}
		name, flags, _ := strings.Cut(tag, ",")
		m := member{name: name, field: f, index: f.Index}
		if flags != "" {
			m.flags = strings.Split(flags, ",")
		}
		members = append(members, m)
	}
	return members
}
