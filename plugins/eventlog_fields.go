package plugins

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxFieldSize is the most bytes of a custom field's value.
const maxFieldSize = 8 << 10

// additions are what is put into every log entry, as a tree: either a value, or
// members by their names, in order.
type additions struct {
	value   []byte // JSON
	name    string
	members []*additions
}

func (a *additions) member(name []byte) (*additions, int) {
	if a == nil {
		return nil, -1
	}
	for i, m := range a.members {
		if m.name == string(name) {
			return m, i
		}
	}
	return nil, -1
}

// appendTo writes all of it, where an entry has nothing.
func (a *additions) appendTo(out []byte) []byte {
	if a.value != nil {
		return append(out, a.value...)
	}
	out = append(out, '{')
	for i, m := range a.members {
		if i > 0 {
			out = append(out, ',')
		}
		out = m.appendMember(out)
	}
	return append(out, '}')
}

func (a *additions) appendMember(out []byte) []byte {
	out, _ = jsontext.AppendQuote(out, a.name)
	return a.appendTo(append(out, ':'))
}

// parseFields reads the custom fields of a config; nil where there are none.
func parseFields(fields map[string]string) (*additions, error) {
	if len(fields) == 0 {
		return nil, nil
	}
	if len(fields) > maxPaths {
		return nil, fmt.Errorf("config.custom_fields: has more than %d fields", maxPaths)
	}
	root := &additions{}
	var errs []error
	for _, text := range slices.Sorted(maps.Keys(fields)) { // a path comes before those below it
		if err := root.put(text, fields[text]); err != nil {
			errs = append(errs, fmt.Errorf("config.custom_fields: %q %w", text, err))
		}
	}
	return root, errors.Join(errs...)
}

func (a *additions) put(text, value string) error {
	path, err := parsePath(text)
	if err != nil {
		return err
	}
	if len(value) > maxFieldSize {
		return fmt.Errorf("has a value of more than %d bytes", maxFieldSize)
	}
	for i, s := range path {
		if s.any {
			return errors.New("has a `*`: a custom field has one place, named in full")
		}
		next, _ := a.member([]byte(s.name))
		if next == nil {
			next = &additions{name: strings.ToValidUTF8(s.name, "\uFFFD")}
			a.members = append(a.members, next)
		} else if next.value != nil || i == len(path)-1 {
			return errors.New("stands below another custom field, or above one: a field is either a value or has fields")
		}
		a = next
	}
	a.value, _ = jsontext.AppendQuote(nil, strings.ToValidUTF8(value, "\uFFFD"))
	return nil
}
