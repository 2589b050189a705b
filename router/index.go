package router

import (
	"maps"
	"slices"
	"strings"

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

// keyed finds candidates by a value or by how it begins.
type keyed struct {
	exact, prefixes map[string]span
	lengths         []int // of the prefixes, each once
	candidates      []candidate
}

// span is a list in keyed.candidates. Lists stand beside each other there, and
// keys in one text: they came out of a document one by one, and what a lookup
// in a large table waits for is memory.
type span struct{ from, to int32 }

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
	types, sources := newDrawers(), newDrawers()
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
		switch byType, bySource := crowd(0), crowd(1); {
		case byType == 0 && bySource == 0:
			x.rest = append(x.rest, c)
		case bySource == 0 || byType > 0 && byType <= bySource:
			c.proved = proves(r.match)
			types.add(demands[i][0], c)
		default:
			c.proved = proves(r.match)
			sources.add(demands[i][1], c)
		}
	}
	x.types, x.sources = types.packed(), sources.packed()
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

// drawers are a keyed in the making.
type drawers struct{ exact, prefixes map[string][]candidate }

func newDrawers() drawers {
	return drawers{map[string][]candidate{}, map[string][]candidate{}}
}

func (d drawers) add(keys keys, c candidate) {
	put := func(lists map[string][]candidate, key string) {
		if list := lists[key]; len(list) == 0 || list[len(list)-1] != c {
			lists[key] = append(list, c)
		}
	}
	for _, key := range keys.exact {
		put(d.exact, key)
	}
	for _, key := range keys.prefixes {
		put(d.prefixes, key)
	}
}

func (d drawers) packed() keyed {
	var k keyed
	pack := func(lists map[string][]candidate) map[string]span {
		keys := slices.Sorted(maps.Keys(lists))
		text := strings.Join(keys, "")
		spans := make(map[string]span, len(lists))
		for _, key := range keys {
			from := int32(len(k.candidates))
			k.candidates = append(k.candidates, lists[key]...)
			spans[text[:len(key)]] = span{from, int32(len(k.candidates))}
			text = text[len(key):]
		}
		return spans
	}
	k.exact, k.prefixes = pack(d.exact), pack(d.prefixes)
	for key := range k.prefixes {
		k.lengths = append(k.lengths, len(key))
	}
	slices.Sort(k.lengths)
	k.lengths = slices.Compact(k.lengths)
	k.candidates = slices.Clip(k.candidates)
	return k
}

func (k *keyed) find(value string, lists [][]candidate) [][]candidate {
	if value == "" {
		return lists // absent: no value and no prefix holds
	}
	if at, ok := k.exact[value]; ok {
		lists = append(lists, k.candidates[at.from:at.to])
	}
	for _, n := range k.lengths {
		if n > len(value) {
			break
		}
		if at, ok := k.prefixes[value[:n]]; ok {
			lists = append(lists, k.candidates[at.from:at.to])
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
