package router

import (
	"github.com/kong/keg"
)

// Match appends to into the routes that take the event, in the table's order.
// It keeps nothing of the event, blocks on nothing, and may be called by many
// goroutines at once. Where into has room and no route looks at data or asks
// CEL, it does not allocate.
func (t *Table) Match(e *keg.Event, into []*Route) []*Route {
	v := viewOf(e)
	lists := t.index.candidates(e, v.lists[:0])
	v.lists = lists
	for c, ok := next(lists); ok; c, ok = next(lists) {
		r := t.routes[c.position]
		if !c.proved && !r.match.holds(v) {
			continue
		}
		into = append(into, r)
		if c.final {
			break
		}
	}
	v.release()
	return into
}
