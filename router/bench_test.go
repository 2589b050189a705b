package router

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kong/keg"
)

// many writes a table of n routes, each of a type of its own.
func many(n int) []byte {
	var b strings.Builder
	b.WriteString("routes:\n")
	for i := range n {
		fmt.Fprintf(&b, `  - name: "route-%d"
    match:
      event_type: "shop.order.%d"
    destinations:
      - type: "kafka"
        address: "kafka:9092"
        topic: "orders-%d"
`, i, i, i)
	}
	return []byte(b.String())
}

func manyJSON(n int) []byte {
	routes := make([]any, n)
	for i := range routes {
		routes[i] = map[string]any{
			"name":  fmt.Sprintf("route-%d", i),
			"match": map[string]any{"event_type": fmt.Sprintf("shop.order.%d", i)},
			"destinations": []any{
				map[string]any{"type": "kafka", "address": "kafka:9092", "topic": fmt.Sprintf("orders-%d", i)},
			},
		}
	}
	text, _ := json.Marshal(routes)
	return text
}

func mustParse(t testing.TB, text string) *Table {
	t.Helper()
	table, err := Parse("routes.yaml", []byte(text), Options{Types: known, LookupEnv: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// events makes ten thousand events, each an object of its own, of n types.
func events(n int) []*keg.Event {
	all := make([]*keg.Event, 10_000)
	for i := range all {
		all[i] = &keg.Event{ID: "1", Source: "/shop", Type: fmt.Sprintf("shop.order.%d", i%n)}
	}
	return all
}

func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		table := mustParse(b, string(many(n)))
		b.Run(fmt.Sprintf("same event/routes=%d", n), func(b *testing.B) {
			e := events(n)[n/2]
			matchAll(b, table, []*keg.Event{e})
		})
		b.Run(fmt.Sprintf("every event/routes=%d", n), func(b *testing.B) {
			matchAll(b, table, events(n))
		})
		b.Run(fmt.Sprintf("no route/routes=%d", n), func(b *testing.B) {
			matchAll(b, table, []*keg.Event{{ID: "1", Source: "/shop", Type: "other"}})
		})
	}
}

// BenchmarkRatio measures 10,000 routes against one in turns, so that what else
// the machine does falls on both. The target is 1.5 at most.
func BenchmarkRatio(b *testing.B) {
	one, all := mustParse(b, string(many(1))), mustParse(b, string(many(10_000)))
	ofOne, ofAll := events(1), events(10_000)
	into := make([]*Route, 0, 8)
	turn := func(table *Table, events []*keg.Event) time.Duration {
		began := time.Now()
		for _, e := range events {
			into = table.Match(e, into[:0])
		}
		return time.Since(began)
	}
	var a, z time.Duration
	for b.Loop() {
		a += turn(one, ofOne)
		z += turn(all, ofAll)
	}
	b.ReportMetric(float64(z)/float64(a), "times-one-route")
	b.ReportMetric(float64(z)/float64(b.N)/10_000, "ns/event")
}

func matchAll(b *testing.B, table *Table, events []*keg.Event) {
	b.ReportAllocs()
	into := make([]*Route, 0, 8)
	i := 0
	for b.Loop() {
		into = table.Match(events[i], into[:0])
		if i++; i == len(events) {
			i = 0
		}
	}
}

func BenchmarkMatchConditions(b *testing.B) {
	e := &keg.Event{
		ID: "1", Source: "/shop", Type: "order.created", Subject: "42", Time: time.Now(),
		Headers: keg.Headers{"x-tenant": {"acme"}},
		Data:    []byte(`{"order":{"id":7,"total":129.9,"items":[{"sku":"a"},{"sku":"b"}]}}`),
	}
	for name, match := range map[string]string{
		"attributes": `{type: order.created, source: {prefix: /shop}, subject: {suffix: "2"}}`,
		"wildcard":   `{type: "order.created", subject: {wildcard: "4*"}}`,
		"regex":      `{type: {regex: '^order\.(created|changed)$'}}`,
		"header":     `{headers.X-Tenant: [acme, other]}`,
		"data":       `{data.order.total: {gt: 100, lte: 200}}`,
		"array":      `{data.order.items.sku: b}`,
		"when":       `{when: 'type == "order.created" && data.order.total > 100.0'}`,
	} {
		table := mustParse(b, "routes: [{name: a, match: "+match+", destinations: [{type: http, address: http://a}]}]")
		b.Run(name, func(b *testing.B) { matchAll(b, table, []*keg.Event{e}) })
	}
}

func BenchmarkCompile(b *testing.B) {
	for name, text := range map[string][]byte{"yaml": many(10_000), "json": manyJSON(10_000)} {
		b.Run(name+"/routes=10000", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := ParseRoutes("routes", text, Options{Types: known}); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(retained(text))/(1<<20), "retained-MiB")
		})
	}
}

// retained is how much memory a table keeps.
func retained(text []byte) int64 {
	measure := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := measure()
	table, _ := ParseRoutes("routes", text, Options{Types: known})
	after := measure()
	runtime.KeepAlive(table)
	return after - before
}

func BenchmarkTransform(b *testing.B) {
	for name, transform := range map[string]string{
		"text":       `{set: {type: order.v2, tenant: acme}}`,
		"expression": `{set: {subject: {cel: 'extensions.tenant + "/" + id'}}}`,
		"data":       `{data: '{"id": data.order.id, "total": data.order.total, "skus": data.order.items.filter(i, has(i.sku)).map(i, i.sku)}'}`,
	} {
		b.Run(name, func(b *testing.B) {
			t, e := mustParse(b, withTransforms(transform, "")).Routes()[0].Transform, orderCreated()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := t.Apply(e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSchema(b *testing.B) {
	s, e := schemaOf(b, `{required: [order], properties: {order: {required: [id, total], properties: {id: {type: integer, minimum: 1}, total: {type: number}, code: {type: string, pattern: "^[0-9]+$"}, items: {type: array, items: {type: object}}}}}}`), orderCreated()
	for name, data := range map[string][]byte{"fits": e.Data, "breaks": []byte(`{"order":{"id":"x"}}`)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			e := &keg.Event{Data: data}
			for b.Loop() {
				if got := s.Check(e); (got == nil) != (name == "fits") {
					b.Fatal(got)
				}
			}
		})
	}
}
