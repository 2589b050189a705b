package router

import (
	"maps"
	"slices"

	"github.com/kong/keg"
)

// needsOf asks every enabled route what it looks at.
func needsOf(routes []*Route, unmatched Unmatched) Needs {
	var n Needs
	headers := map[string]bool{}
	var visit func(clauses ...clause)
	visit = func(clauses ...clause) {
		for _, c := range clauses {
			switch c := c.(type) {
			case every:
				visit(c.clauses...)
			case some:
				visit(c.clauses...)
			case negation:
				visit(c.clause)
			case *look:
				switch s := c.subject.(type) {
				case headerNamed:
					headers[string(s)] = true
				case dataAt:
					n.Data = true
				}
			case *when:
				n.Data = n.Data || c.uses.data
				n.AllHeaders = n.AllHeaders || c.uses.headers
			}
		}
	}
	for _, r := range routes {
		if r.Enabled {
			visit(r.match)
			n.Data = n.Data || r.Schema != nil
			for _, d := range append(r.Destinations[:len(r.Destinations):len(r.Destinations)], r.DeadLetter) {
				if d != nil {
					n.add(d.Transform)
				}
			}
		}
	}
	for _, d := range unmatched.Destinations {
		n.add(d.Transform)
	}
	n.Headers = slices.Sorted(maps.Keys(headers))
	return n
}

// add notes what a transform looks at.
func (n *Needs) add(t keg.Transformer) {
	switch t := t.(type) {
	case *chain:
		n.add(t.first)
		n.add(t.second)
	case *Transform:
		for _, c := range t.values() {
			n.Data = n.Data || c.uses.data
			n.AllHeaders = n.AllHeaders || c.uses.headers
		}
	}
}
