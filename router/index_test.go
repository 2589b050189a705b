package router

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/kong/keg"
)

// naive asks every route, which is what the index must not be told from.
func naive(t *Table, e *keg.Event) []*Route {
	v := viewOf(e)
	defer v.release()
	var taken []*Route
	for _, r := range t.routes {
		if r.Enabled && r.match.holds(v) {
			taken = append(taken, r)
			if r.Final {
				break
			}
		}
	}
	return taken
}

// gen makes small random tables and events out of few words, so that they meet.
type gen struct{ *rand.Rand }

func (g gen) word() string {
	return []string{"a", "ab", "abc", "b", "ba", "a.b", "abcabc", "1", "1.0", "true"}[g.IntN(10)]
}

func (g gen) value(depth int) any {
	switch n := g.IntN(14); {
	case n < 4 || depth > 2:
		return g.word()
	case n == 4:
		return map[string]any{"prefix": g.word()}
	case n == 5:
		return map[string]any{"suffix": g.word()}
	case n == 6:
		return map[string]any{"wildcard": []string{"*", "a*", "*b*", "a*c", "ab"}[g.IntN(5)]}
	case n == 7:
		return map[string]any{"exists": g.IntN(2) == 0}
	case n == 8:
		return map[string]any{"anything_but": g.value(depth + 1)}
	case n == 9:
		return map[string]any{"prefix": g.word(), "suffix": g.word()}
	case n == 10:
		return map[string]any{"prefix": g.word(), "anything_but": g.value(depth + 1)}
	case n == 11:
		return float64(g.IntN(3))
	case n == 12:
		list := make([]any, 8+g.IntN(3))
		for i := range list {
			list[i] = g.word()
		}
		return list
	}
	list := make([]any, 1+g.IntN(3))
	for i := range list {
		list[i] = g.value(depth + 1)
	}
	return list
}

func (g gen) match(depth int) map[string]any {
	m := map[string]any{}
	for range g.IntN(3) {
		key := []string{"type", "event_type", "source", "source", "subject", "ext", "headers.h", "data.x"}[g.IntN(8)]
		m[key] = g.value(0)
	}
	if depth < 2 && g.IntN(3) == 0 {
		switch g.IntN(3) {
		case 0:
			m["any"] = []any{g.match(depth + 1), g.match(depth + 1)}
		case 1:
			m["all"] = []any{g.match(depth + 1), g.match(depth + 1)}
		default:
			m["not"] = g.match(depth + 1)
		}
	}
	return m
}

func newGen() gen { return gen{rand.New(rand.NewPCG(1, 2))} }

func (g gen) routes(t testing.TB) []byte {
	routes := make([]any, 1+g.IntN(12))
	for i := range routes {
		routes[i] = map[string]any{
			"name": fmt.Sprint(i), "match": g.match(0), "final": g.IntN(8) == 0, "enabled": g.IntN(8) != 0,
			"destinations": []any{map[string]any{"type": "http", "address": "a"}},
		}
	}
	text, err := json.Marshal(routes)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (g gen) table(t testing.TB) *Table {
	text := g.routes(t)
	table, err := ParseRoutes("random", text, Options{Types: known})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return table
}

func (g gen) event() *keg.Event {
	e := &keg.Event{ID: "1", Type: g.word(), Source: g.word()}
	if g.IntN(20) == 0 {
		e.Type = "" // no legal event; the answers must agree all the same
	}
	if g.IntN(2) == 0 {
		e.Subject = g.word()
	}
	if g.IntN(2) == 0 {
		e.Extensions = map[string]string{"ext": g.word()}
	}
	if g.IntN(2) == 0 {
		e.Headers = keg.Headers{"h": {g.word(), g.word()}}
	}
	if g.IntN(2) == 0 {
		e.Data, _ = json.Marshal(map[string]any{"x": []any{g.word(), g.IntN(3), nil}})
	}
	return e
}

func TestTheIndexAndTheNaiveWayAgree(t *testing.T) {
	g := newGen()
	taken := 0
	for range 3000 {
		table := g.table(t)
		for range 20 {
			e := g.event()
			got, want := table.Match(e, nil), naive(table, e)
			taken += len(want)
			if fmt.Sprint(names(got)) != fmt.Sprint(names(want)) {
				t.Fatalf("event %+v: index %v, naive %v\n%v", e, names(got), names(want), table.Explain(e))
			}
			for i, verdict := range table.Explain(e) {
				isTaken := false
				for _, r := range want {
					isTaken = isTaken || r == table.routes[i]
				}
				if (verdict.Outcome == Taken) != isTaken {
					t.Fatalf("route %s: explained as %v, taken: %v", verdict.Route, verdict, isTaken)
				}
			}
		}
	}
	if taken < 10_000 {
		t.Errorf("only %d routes were taken: the random tables test too little", taken)
	}
}

func names(routes []*Route) []string {
	names := make([]string, len(routes))
	for i, r := range routes {
		names[i] = r.Name
	}
	return names
}

// TestTheIndexNarrows counts what is asked beyond what is taken.
func TestTheIndexNarrows(t *testing.T) {
	table := mustParse(t, `
routes:
- {name: a, match: {type: [a, b], tenant: x}, destinations: [{type: http, address: a}]}
- {name: b, match: {type: {wildcard: "order.*.eu"}}, destinations: [{type: http, address: a}]}
- {name: c, match: {any: [{type: c}, {all: [{type: {prefix: d}}, {tenant: x}]}]}, destinations: [{type: http, address: a}]}
- {name: d, match: {source: s, type: {suffix: x}}, destinations: [{type: http, address: a}]}
- {name: e, match: {type: e, source: only-here}, destinations: [{type: http, address: a}]}
- {name: f, match: {type: e, source: f}, destinations: [{type: http, address: a}]}
- {name: g, match: {type: {prefix: e, suffix: x}}, destinations: [{type: http, address: a}]}
- {name: off, enabled: false, match: {type: a}, destinations: [{type: http, address: a}]}
- {name: all, match: {subject: x}, destinations: [{type: http, address: a}]}
`)
	for _, c := range []struct{ typ, source, want string }{
		{"a", "", "[a all]"},
		{"b", "s", "[a d all]"},
		{"order.1", "", "[b all]"},
		{"orde", "", "[all]"},
		{"c", "", "[c all]"},
		{"dd", "", "[c all]"},
		{"e", "other", "[g all]"},
		{"e", "f", "[f g all]"},
		{"z", "z", "[all]"},
	} {
		var asked []string
		lists := table.index.candidates(&keg.Event{Type: c.typ, Source: c.source}, nil)
		for n, ok := next(lists); ok; n, ok = next(lists) {
			asked = append(asked, table.routes[n.position].Name)
		}
		if fmt.Sprint(asked) != c.want {
			t.Errorf("type %q, source %q: asks %v, want %s", c.typ, c.source, asked, c.want)
		}
	}
}
