package plugins

import (
	"maps"
	"slices"
	"strings"

	"github.com/kong/keg"
)

// headerRules say which headers of a request are the record's. Names are in lower
// case.
type headerRules struct {
	forward, all     bool
	include, exclude []string
	names            map[string]string
	repeated         string
}

func (h *recordHeaders) rules() headerRules {
	r := headerRules{forward: h.Forward, all: h.All, repeated: h.Repeated, names: make(map[string]string, len(h.Names))}
	for _, name := range h.Include {
		r.include = append(r.include, strings.ToLower(name))
	}
	for _, name := range h.Exclude {
		r.exclude = append(r.exclude, strings.ToLower(name))
	}
	for name, mapped := range h.Names {
		r.names[strings.ToLower(name)] = mapped
	}
	return r
}

// any reports whether there can be such a header.
func (r *headerRules) any() bool { return r.forward && (r.all || len(r.include) > 0) }

func (r *headerRules) takes(name string) bool {
	switch {
	case keg.OneHop(name), strings.HasPrefix(name, "keg-"): // a neighbour's, or KEG's own
		return false
	case r.all:
		return !slices.Contains(r.exclude, name)
	default:
		return slices.Contains(r.include, name)
	}
}

// of returns those of a request's headers, nil where there are none.
func (r *headerRules) of(headers keg.Headers) keg.Headers {
	if !r.any() {
		return nil
	}
	record := keg.Headers{}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if !r.takes(name) {
			continue
		}
		values := headers[name]
		texts := make([]string, len(values))
		for i, value := range values {
			texts[i] = asUTF8(value)
		}
		switch r.repeated {
		case "take_first":
			texts = texts[:min(1, len(texts))]
		case "concatenate_by_comma":
			texts = []string{strings.Join(texts, ",")}
		}
		if mapped, ok := r.names[name]; ok {
			name = mapped
		}
		record[name] = append(record[name], texts...)
	}
	return record
}
