package router

import (
	"slices"

	"github.com/kong/keg"
)

// index finds the few routes that may take an event without asking the others.
// Each route stands under what its match demands of type or source: the exact
// values or the prefixes, one of which an event must have. A route that demands
// neither is a candidate of every event. Lists are in the table's order.
type index struct {
	types, sources keyed
	rest           []candidate
}

type keyed struct {
	exact    map[string][]candidate
	prefixes map[string][]candidate
	lengths  []int // of the prefixes, each once
}

// candidate is a route by its position in the table.
type candidate struct {
	position int32
	// proved: that the index led here is all that the route's match demands,
	// so that it need not be fetched from memory to be asked.
	proved, final bool
}

// keys are values of which an event must have one.
type keys struct{ exact, prefixes []string }

func newIndex(routes []*Route) index {
	var x index
	demands := make([][2]keys, len(routes))
	usage := [2]map[string]int{{}, {}}
	for i, r := range routes {
		if !r.Enabled {
			continue
		}
		for side, name := range [2]attribute{"type", "source"} {
			if k, ok := demanded(r.match, name); ok {
				demands[i][side] = k
				for _, key := range k.exact {
					usage[side][key]++
				}
				for _, key := range k.prefixes {
					usage[side][key]++
				}
			}
		}
	}
	for i, r := range routes {
		if !r.Enabled {
			continue
		}
		crowd := func(side int) int { return demands[i][side].crowd(usage[side]) }
		c := candidate{position: int32(i), final: r.Final}
		switch types, sources := crowd(0), crowd(1); {
		case types == 0 && sources == 0:
			x.rest = append(x.rest, c)
		case sources == 0 || types > 0 && types <= sources:
			c.proved = proves(r.match)
			x.types.add(demands[i][0], c)
		default:
			c.proved = proves(r.match)
			x.sources.add(demands[i][1], c)
		}
	}
	return x
}

// crowd is how many routes stand where these keys would lead; 0 without keys.
func (k keys) crowd(usage map[string]int) int {
	n := 0
	for _, key := range k.exact {
		n += usage[key]
	}
	for _, key := range k.prefixes {
		n += usage[key] * 2 // a prefix is met more often than a value
	}
	return n
}

func (k *keyed) add(keys keys, c candidate) {
	if k.exact == nil {
		k.exact, k.prefixes = map[string][]candidate{}, map[string][]candidate{}
	}
	put := func(lists map[string][]candidate, key string) {
		if list := lists[key]; len(list) == 0 || list[len(list)-1] != c {
			lists[key] = append(list, c)
		}
	}
	for _, key := range keys.exact {
		put(k.exact, key)
	}
	for _, key := range keys.prefixes {
		put(k.prefixes, key)
		if at, ok := slices.BinarySearch(k.lengths, len(key)); !ok {
			k.lengths = slices.Insert(k.lengths, at, len(key))
		}
	}
}

func (k *keyed) find(value string, lists [][]candidate) [][]candidate {
	if value == "" {
		return lists // absent: no value and no prefix holds
	}
	if list, ok := k.exact[value]; ok {
		lists = append(lists, list)
	}
	for _, n := range k.lengths {
		if n > len(value) {
			break
		}
		if list, ok := k.prefixes[value[:n]]; ok {
			lists = append(lists, list)
		}
	}
	return lists
}

// candidates returns the lists of all routes that may take the event.
func (x *index) candidates(e *keg.Event, lists [][]candidate) [][]candidate {
	lists = x.types.find(e.Type, lists)
	lists = x.sources.find(e.Source, lists)
	if len(x.rest) > 0 {
		lists = append(lists, x.rest)
	}
	return lists
}

// next takes the first candidate out of sorted lists, from all that have it.
func next(lists [][]candidate) (candidate, bool) {
	var first candidate
	found := false
	for _, list := range lists {
		if len(list) > 0 && (!found || list[0].position < first.position) {
			first, found = list[0], true
		}
	}
	for i, list := range lists {
		if len(list) > 0 && list[0] == first {
			lists[i] = list[1:]
		}
	}
	return first, found
}

// proves tells of a match that demands a type or a source that it demands
// nothing else.
func proves(c clause) bool {
	l, ok := c.(*look)
	return ok && exhausted(l.test)
}

func exhausted(t test) bool {
	switch t := t.(type) {
	case anyTest:
		return !slices.ContainsFunc(t, func(t test) bool { return !exhausted(t) })
	case anyValue:
		switch t.element.(type) {
		case equalText, equalOneOf, prefix:
			return true
		}
	}
	return false
}

// demanded returns the values of an attribute of which one is needed for the
// clause to hold, where it is so simple.
func demanded(c clause, name attribute) (keys, bool) {
	switch c := c.(type) {
	case every:
		for _, clause := range c.clauses {
			if k, ok := demanded(clause, name); ok {
				return k, true
			}
		}
	case some:
		var all keys
		for _, clause := range c.clauses {
			k, ok := demanded(clause, name)
			if !ok {
				return keys{}, false
			}
			all.exact, all.prefixes = append(all.exact, k.exact...), append(all.prefixes, k.prefixes...)
		}
		return all, len(c.clauses) > 0
	case *look:
		if c.subject == subject(name) {
			return accepts(c.test)
		}
	}
	return keys{}, false
}

// accepts is demanded for a test.
func accepts(t test) (keys, bool) {
	switch t := t.(type) {
	case anyValue:
		return passed(t.element)
	case everyTest:
		for _, test := range t {
			if k, ok := accepts(test); ok {
				return k, true
			}
		}
	case anyTest:
		var all keys
		for _, test := range t {
			k, ok := accepts(test)
			if !ok {
				return keys{}, false
			}
			all.exact, all.prefixes = append(all.exact, k.exact...), append(all.prefixes, k.prefixes...)
		}
		return all, true
	}
	return keys{}, false
}

func passed(e element) (keys, bool) {
	switch e := e.(type) {
	case equalText:
		return keys{exact: []string{string(e)}}, true
	case equalOneOf:
		var k keys
		for text := range e {
			k.exact = append(k.exact, text)
		}
		return k, true
	case prefix:
		return keys{prefixes: []string{string(e)}}, true
	case wildcard:
		if len(e) == 1 {
			return keys{exact: []string{e[0]}}, true
		}
		return keys{prefixes: []string{e[0]}}, e[0] != ""
	case together:
		for _, element := range e {
			if k, ok := passed(element); ok {
				return k, true
			}
		}
	}
	return keys{}, false
}
