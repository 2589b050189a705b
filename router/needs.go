package router

import (
	"maps"
	"slices"
)

// needsOf asks every enabled route what it looks at.
func needsOf(routes []*Route) Needs {
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
				n.Data = n.Data || c.data
				n.AllHeaders = n.AllHeaders || c.headers
			}
		}
	}
	for _, r := range routes {
		if r.Enabled {
			visit(r.match)
		}
	}
	n.Headers = slices.Sorted(maps.Keys(headers))
	return n
}
