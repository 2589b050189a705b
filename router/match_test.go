package router

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kong/keg"
)

// orderCreated is the event that the tables of this file speak of.
func orderCreated() *keg.Event {
	return &keg.Event{
		ID: "a-1", Source: "/shops/7", Type: "order.created", Subject: "42",
		Time:            time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		DataContentType: "application/json",
		Extensions:      map[string]string{"tenant": "acme", "retries": "3", "weight": "1.50", "vip": "true", "client": "::ffff:10.1.2.3", "big": "9007199254740993"},
		Headers:         keg.Headers{"x-tenant": {"acme", "umbrella"}, "x-forwarded-for": {"192.0.2.7"}, "x-count": {"10"}},
		Data: []byte(`{
			"order": {"id": 7, "total": 129.90, "paid": true, "note": null, "code": "7", "big": 9007199254740993, "huge": 1e400,
				"items": [{"sku": "a", "n": 0}, {"sku": "b", "n": 20}, {"tags": ["x", ["y"]]}], "empty": [], "a.b": "dot"},
			"0": "zero", "list": [1, 20], "mixed": [null, false, "s"]
		}`),
	}
}

func takes(t testing.TB, match string, e *keg.Event) bool {
	t.Helper()
	table := mustParse(t, "routes:\n- name: a\n  match: "+match+"\n  destinations: [{type: http, address: http://a}]")
	return len(table.Match(e, nil)) == 1
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		says  string
		match string
		holds bool
	}{
		{"nothing asked: everything", `{}`, true},

		{"event_type is type", `{event_type: order.created}`, true},
		{"event_source is source", `{event_source: /shops/7}`, true},
		{"event_id is id", `{event_id: a-1}`, true},
		{"type under its own name", `{type: order.created}`, true},
		{"case matters", `{type: Order.created}`, false},
		{"all keys must hold", `{type: order.created, source: /shops/8}`, false},
		{"specversion is an attribute", `{specversion: "1.0"}`, true},
		{"extensions by name", `{tenant: acme}`, true},
		{"an absent extension holds for nothing", `{region: eu}`, false},

		{"a number in an attribute is a number", `{retries: 3}`, true},
		{"1.5 and 1.50 are equal", `{weight: 1.5}`, true},
		{"a string in quotes is text", `{retries: "3"}`, true},
		{"a string is not compared as a number", `{weight: "1.5"}`, false},
		{"a boolean in an attribute", `{vip: true}`, true},
		{"the other boolean", `{vip: false}`, false},
		{"null is nothing's attribute", `{region: null}`, false},
		{"integers beyond 2^53 are told apart in attributes", `{big: 9007199254740992}`, false},
		{"and are equal to themselves", `{big: 9007199254740993}`, true},

		{"a list: one item holds", `{type: [order.changed, order.created]}`, true},
		{"a list: none holds", `{type: [order.changed, order.deleted]}`, false},
		{"a list of operators", `{type: [order.changed, {suffix: .created}]}`, true},
		{"a long list of texts", `{type: [a, b, c, d, e, f, g, h, i, order.created]}`, true},
		{"a long list without it", `{type: [a, b, c, d, e, f, g, h, i, j]}`, false},

		{"prefix", `{type: {prefix: order.}}`, true},
		{"prefix of another", `{type: {prefix: payment.}}`, false},
		{"suffix", `{type: {suffix: .created}}`, true},
		{"equals_ignore_case", `{type: {equals_ignore_case: ORDER.Created}}`, true},
		{"wildcard in the middle", `{type: {wildcard: "ord*ted"}}`, true},
		{"wildcard over nothing", `{type: {wildcard: "order.*created"}}`, true},
		{"wildcards in turn", `{type: {wildcard: "*r*d*r*.*"}}`, true},
		{"wildcard pieces must not overlap", `{type: {wildcard: "order.created*created"}}`, false},
		{"wildcard without a star is equality", `{type: {wildcard: order}}`, false},
		{"wildcard is anchored", `{type: {wildcard: "rder*"}}`, false},
		{"wildcard knows only the star", `{type: {wildcard: "order?created"}}`, false},
		{"regex finds anywhere", `{type: {regex: "r\\.c"}}`, true},
		{"regex anchored", `{type: {regex: "^created"}}`, false},
		{"several operators must all hold", `{type: {prefix: order., suffix: .created}}`, true},
		{"several operators, one fails", `{type: {prefix: order., suffix: .changed}}`, false},

		{"gt", `{retries: {gt: 2}}`, true},
		{"gt is strict", `{retries: {gt: 3}}`, false},
		{"gte", `{retries: {gte: 3}}`, true},
		{"lt and gt", `{retries: {gt: 2.5, lt: 3.5}}`, true},
		{"numbers do not compare as text", `{headers.x-count: {gt: 9}}`, true},
		{"text has no order", `{tenant: {gt: 1}}`, false},
		{"order beyond 2^53", `{big: {gt: 9007199254740992}}`, true},

		{"time after", `{time: {gt: "2026-03-01T11:59:59Z"}}`, true},
		{"time before, in another zone", `{time: {lt: "2026-03-01T12:30:00+01:00"}}`, false},
		{"time equal in another zone", `{time: "2026-03-01T13:00:00+01:00"}`, true},
		{"time without quotes", `{time: {gte: 2026-03-01T12:00:00Z, lt: 2026-03-02T00:00:00Z}}`, true},
		{"time as text", `{time: {prefix: "2026-03"}}`, true},
		{"time in a list", `{time: ["2026-01-01T00:00:00Z", {gt: "2026-02-01T00:00:00Z"}]}`, true},

		{"cidr", `{headers.x-forwarded-for: {cidr: 192.0.2.0/24}}`, true},
		{"cidr of another", `{headers.x-forwarded-for: {cidr: 10.0.0.0/8}}`, false},
		{"cidr: IPv4 in IPv6", `{client: {cidr: 10.0.0.0/8}}`, true},
		{"cidr: one address", `{headers.x-forwarded-for: {cidr: 192.0.2.7}}`, true},
		{"cidr: what is no address", `{tenant: {cidr: "::/0"}}`, false},

		{"anything_but", `{type: {anything_but: order.changed}}`, true},
		{"anything_but itself", `{type: {anything_but: order.created}}`, false},
		{"anything_but a list", `{type: {anything_but: [a, order.created]}}`, false},
		{"anything_but an operator", `{type: {anything_but: {prefix: payment.}}}`, true},
		{"anything_but wants presence", `{region: {anything_but: eu}}`, false},
		{"anything_but one of several values", `{headers.x-tenant: {anything_but: acme}}`, false},
		{"prefix and anything_but", `{type: {prefix: order., anything_but: order.deleted}}`, true},

		{"exists", `{tenant: {exists: true}}`, true},
		{"exists where absent", `{region: {exists: true}}`, false},
		{"does not exist", `{region: {exists: false}}`, true},
		{"does not exist where present", `{tenant: {exists: false}}`, false},
		{"absent or equal", `{region: [{exists: false}, eu]}`, true},

		{"a header's name in any case", `{headers.X-Tenant: acme}`, true},
		{"any of a header's values", `{headers.x-tenant: umbrella}`, true},
		{"an absent header", `{headers.x-none: {exists: false}}`, true},
		{"several operators for one same value", `{headers.x-tenant: {prefix: a, suffix: a}}`, false},

		{"data", `{data.order.id: 7}`, true},
		{"1.0 is 1 in data", `{data.order.id: 7.0}`, true},
		{"129.9 is 129.90", `{data.order.total: 129.9}`, true},
		{"a number in data is not text", `{data.order.id: "7"}`, false},
		{"text in data is not a number", `{data.order.code: 7}`, false},
		{"data has booleans", `{data.order.paid: true}`, true},
		{"data has null", `{data.order.note: null}`, true},
		{"null is present", `{data.order.note: {exists: true}}`, true},
		{"null is not absent", `{data.order.nothing: null}`, false},
		{"beyond 2^53 in data", `{data.order.big: 9007199254740992}`, false},
		{"beyond float64 in data", `{data.order.huge: {gt: 1e308}}`, true},
		{"an index", `{data.order.items.1.sku: b}`, true},
		{"another index", `{data.order.items.0.sku: b}`, false},
		{"an index out of range", `{data.order.items.9.sku: {exists: false}}`, true},
		{"any element", `{data.order.items.sku: b}`, true},
		{"no element", `{data.order.items.sku: c}`, false},
		{"an array at the end", `{data.list: 20}`, true},
		{"arrays in arrays", `{data.order.items.tags: y}`, true},
		{"several operators for one same element", `{data.list: {gt: 1, lt: 20}}`, false},
		{"mixed arrays", `{data.mixed: [{regex: "^s$"}]}`, true},
		{"a number as a name", `{data.0: zero}`, true},
		{"a dot in a name", `{'data.order.a\.b': dot}`, true},
		{"an empty array is present", `{data.order.empty: {exists: true}}`, true},
		{"an empty array equals nothing", `{data.order.empty: null}`, false},
		{"an empty array is anything but", `{data.order.empty: {anything_but: x}}`, true},
		{"an object equals nothing", `{data.order: {anything_but: x}}`, true},
		{"through a scalar there is nothing", `{data.order.id.x: {exists: false}}`, true},

		{"all", `{all: [{type: order.created}, {tenant: acme}]}`, true},
		{"all, one fails", `{all: [{type: order.created}, {tenant: x}]}`, false},
		{"any", `{any: [{type: x}, {tenant: acme}]}`, true},
		{"any, none", `{any: [{type: x}, {tenant: x}]}`, false},
		{"not", `{not: {type: x}}`, true},
		{"not of all keys", `{not: {type: order.created, tenant: x}}`, true},
		{"not of what holds", `{not: {type: order.created}}`, false},
		{"nested", `{any: [{all: [{type: x}]}, {not: {any: [{type: x}, {tenant: y}]}}], tenant: acme}`, true},
		{"any with everything", `{any: [{}, {type: x}]}`, true},

		{"when", `{when: 'data.order.total > 100.0 && type.startsWith("order.")'}`, true},
		{"when: numbers across types", `{when: data.order.id == 7.0 && data.order.total > 100}`, true},
		{"when: headers are joined", `{when: 'headers["x-tenant"] == "acme, umbrella"'}`, true},
		{"when: extensions", `{when: extensions.tenant == "acme"}`, true},
		{"when: time", `{when: 'time < timestamp("2027-01-01T00:00:00Z")'}`, true},
		{"when: macros", `{when: 'data.order.items.exists(i, has(i.sku) && i.sku == "b")'}`, true},
		{"when: all the texts", `{when: 'source + id + subject == "/shops/7a-142"'}`, true},
		{"when with other keys", `{when: data.order.paid, type: x}`, false},
	} {
		t.Run(c.says, func(t *testing.T) {
			if got := takes(t, c.match, orderCreated()); got != c.holds {
				t.Errorf("match %s: %v, want %v", c.match, got, c.holds)
			}
		})
	}
}

func TestDataThatIsNone(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + `1` + strings.Repeat(`}`, n) }
	for _, c := range []struct {
		says, contentType, data, match string
		holds                          bool
	}{
		{"no data", "", "", `{data.a: {exists: true}}`, false},
		{"broken JSON is absent", "", `{"a":1`, `{data.a: {exists: false}}`, true},
		{"broken JSON equals nothing", "", `{"a":1,}`, `{data.a: 1}`, false},
		{"two documents are none", "", `{"a":1}{"a":1}`, `{data.a: 1}`, false},
		{"text is no JSON", "text/plain", `{"a":1}`, `{data.a: 1}`, false},
		{"a JSON suffix is JSON", "application/vnd.x+json; charset=utf-8", `{"a":1}`, `{data.a: 1}`, true},
		{"64 levels are read", "", deep(64), `{` + "data" + strings.Repeat(".a", 64) + `: 1}`, true},
		{"65 levels are not", "", deep(65), `{data.a: {exists: true}}`, false},
		{"a million levels neither", "", strings.Repeat("[", 1_000_000), `{data.a: {exists: true}}`, false},
		{"braces in strings are no levels", "", `{"a":"` + strings.Repeat(`[{\"`, 100) + `"}`, `{data.a: {exists: true}}`, true},
		{"a top level array is walked", "", `[{"a":1},{"a":2}]`, `{data.a: 2}`, true},
		{"a top level scalar has no names", "", `7`, `{data.a: {exists: false}}`, true},
	} {
		t.Run(c.says, func(t *testing.T) {
			e := &keg.Event{ID: "1", Source: "s", Type: "t", DataContentType: c.contentType, Data: []byte(c.data)}
			if got := takes(t, c.match, e); got != c.holds {
				t.Errorf("%v, want %v", got, c.holds)
			}
		})
	}
}

func TestMatchTakesRoutesInOrder(t *testing.T) {
	table := mustParse(t, `
routes:
- {name: wide, match: {}, destinations: [{type: http, address: a}]}
- {name: by source, match: {source: s}, destinations: [{type: http, address: a}]}
- {name: off, enabled: false, match: {}, destinations: [{type: http, address: a}]}
- {name: by prefix, match: {type: [{prefix: o}, {prefix: or}, order]}, destinations: [{type: http, address: a}]}
- {name: last, match: {type: order}, final: true, destinations: [{type: http, address: a}]}
- {name: never for orders, match: {}, destinations: [{type: http, address: a}]}
`)
	for _, c := range []struct{ typ, source, want string }{
		{"order", "s", "wide, by source, by prefix, last"},
		{"order", "x", "wide, by prefix, last"},
		{"other", "x", "wide, by prefix, never for orders"},
		{"x", "s", "wide, by source, never for orders"},
	} {
		var got []string
		for _, r := range table.Match(&keg.Event{Type: c.typ, Source: c.source}, nil) {
			got = append(got, r.Name)
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("type %s, source %s: took %s, want %s", c.typ, c.source, strings.Join(got, ", "), c.want)
		}
	}
}

func TestMatchAppends(t *testing.T) {
	table := mustParse(t, `routes: [{name: a, match: {}, destinations: [{type: http, address: a}]}]`)
	before := &Route{Name: "before"}
	if got := table.Match(orderCreated(), []*Route{before}); len(got) != 2 || got[0] != before {
		t.Errorf("got %v", got)
	}
	if got := Empty().Match(orderCreated(), nil); got != nil {
		t.Errorf("the empty table took %v", got)
	}
}

func TestMatchingAttributesDoesNotAllocate(t *testing.T) {
	for says, match := range map[string]string{
		"equality": `{type: order.created}`,
		"prefix":   `{type: {prefix: order.}, source: {wildcard: "/shops/*"}}`,
		"list":     `{type: [a, b, order.created], tenant: {anything_but: x}}`,
		"number":   `{retries: {gt: 1}, weight: 1.5}`,
		"header":   `{headers.x-tenant: umbrella}`,
		"regex":    `{type: {regex: "^order"}}`,
		"cidr":     `{client: {cidr: 10.0.0.0/8}}`,
		"time":     `{time: {gt: 2020-01-01T00:00:00Z}}`,
		"nested":   `{any: [{type: x}, {not: {source: y}}]}`,
		"no match": `{type: none}`,
	} {
		table := mustParse(t, "routes:\n- name: a\n  match: "+match+"\n  destinations: [{type: http, address: http://a}]")
		e, into := orderCreated(), make([]*Route, 0, 4)
		if n := testing.AllocsPerRun(200, func() { into = table.Match(e, into[:0]) }); n != 0 && !raceEnabled {
			t.Errorf("%s: %v allocations", says, n)
		}
	}
}

func TestDataIsParsedOnceForAllRoutes(t *testing.T) {
	cost := func(n int) float64 {
		var text strings.Builder
		text.WriteString("routes:\n")
		for i := range n {
			fmt.Fprintf(&text, "- {name: r%d, match: {data.order.id: 7}, destinations: [{type: http, address: a}]}\n", i)
		}
		table := mustParse(t, text.String())
		e, into := orderCreated(), make([]*Route, 0, n)
		return testing.AllocsPerRun(50, func() { into = table.Match(e, into[:0]) })
	}
	if one, many := cost(1), cost(50); many > one*1.5 {
		t.Errorf("50 routes allocate %v times, one %v", many, one)
	}
}

func TestDataIsNotParsedInVain(t *testing.T) {
	table := mustParse(t, `routes: [{name: a, match: {data.a: 1, type: x}, destinations: [{type: http, address: a}]}]`)
	e := orderCreated()
	if n := testing.AllocsPerRun(50, func() { table.Match(e, nil) }); n != 0 && !raceEnabled {
		t.Errorf("%v allocations for an event of another type", n)
	}
}
