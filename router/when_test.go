package router

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kong/keg"
)

func TestWhenErrorsAreNoMatchAndCounted(t *testing.T) {
	for _, c := range []struct {
		says, when string
		errors     uint64
	}{
		{"a missing member", `data.nothing > 1`, 1},
		{"a missing header", `headers["x-none"] == "a"`, 1},
		{"no boolean", `data.order.id`, 1},
		{"no such overload", `data.order.code > 5`, 1},
		{"false is no error", `data.order.id > 8`, 0},
		{"has asks without an error", `has(data.nothing)`, 0},
	} {
		t.Run(c.says, func(t *testing.T) {
			table := mustParse(t, "routes: [{name: a, match: {when: '"+c.when+"'}, destinations: [{type: http, address: a}]}]")
			if got := table.Match(orderCreated(), nil); len(got) != 0 {
				t.Error("taken")
			}
			table.Explain(orderCreated())
			if got := table.Routes()[0].WhenErrors(); got != c.errors {
				t.Errorf("%d errors counted, want %d", got, c.errors)
			}
		})
	}
}

func TestWhenWithoutTimeOrData(t *testing.T) {
	e := &keg.Event{ID: "1", Source: "s", Type: "t"}
	for when, want := range map[string]bool{
		`time > timestamp("1970-01-01T00:00:00Z")`: false,
		`data == null`:                true,
		`size(extensions) == 0`:       true,
		`size(headers) == 0`:          true,
		`subject == ""`:               true,
		`"x" in headers`:              false,
		`has(extensions.a)`:           false,
		`data == null && type == "t"`: true,
	} {
		if got := takes(t, "{when: '"+when+"'}", e); got != want {
			t.Errorf("%s: %v", when, got)
		}
	}
}

// TestAHostileEventCannotHang gives expressions that look harmless the event
// that makes them dear.
func TestAHostileEventCannotHang(t *testing.T) {
	var items bytes.Buffer
	items.WriteString(`{"items":[0`)
	for i := range 100_000 {
		fmt.Fprintf(&items, ",%d", i)
	}
	items.WriteString(`],"text":"` + strings.Repeat("a", 500_000) + `"}`)
	e := &keg.Event{ID: "1", Source: "s", Type: "t", Data: items.Bytes()}
	for _, when := range []string{
		`data.items.all(a, data.items.all(b, data.items.all(c, a + b + c >= 0)))`,
		`data.items.map(a, data.items.map(b, [a, b])).size() > 0`,
		`data.items.all(a, data.text.contains("b") == false)`,
		`data.items.all(a, data.text.matches("(a*)*b") == false)`,
		`data.items.all(a, (data.text + data.text + data.text).size() > 0)`,
		`data.items.all(a, data.items + data.items != data.items)`,
		`data.items.all(a, a in data.items)`,
		`data.items.all(a, data == data)`,
		`data.items.all(a, [data] != [a])`,
		`data.items.all(a, {"a": data} != {"a": a})`,
		`data.items.all(a, size(data.text) > a)`,
		`data.items.all(a, (data.items + data.items + data.items).size() > 0)`,
		`data.items.map(a, data).size() > 0 && data.items.map(a, data) == data.items`,
	} {
		table := mustParse(t, "routes: [{name: a, match: {when: '"+when+"'}, destinations: [{type: http, address: a}]}]")
		began := time.Now()
		table.Match(e, nil)
		took := time.Since(began)
		t.Logf("%s: %v", when, took)
		if took > 5*time.Second {
			t.Errorf("%s: took %v", when, took)
		}
		if got := table.Routes()[0].WhenErrors(); got != 1 {
			t.Errorf("%s: %d errors", when, got)
		}
	}
}

func TestHarmlessExpressionsOverManyItems(t *testing.T) {
	var items bytes.Buffer
	items.WriteString(`{"items":[{"sku":"0","n":0}`)
	for i := range 3000 {
		fmt.Fprintf(&items, `,{"sku":"%d","n":%d}`, i, i)
	}
	items.WriteString(`],"text":"` + strings.Repeat("a", 60_000) + `b"}`)
	e := &keg.Event{ID: "1", Source: "s", Type: "t", Data: items.Bytes()}
	for _, when := range []string{
		`data.items.exists(i, i.sku == "2999")`,
		`data.items.all(i, i.n >= 0 && i.sku != "")`,
		`data.items.filter(i, i.n > 100).size() > 10`,
		`data.items.map(i, i.n).exists(n, n == 5)`,
		`data.items.exists_one(i, i.n == 7 && i.sku == "7")`,
		`data.text.matches("ab$") && data.text.contains("b") && data.text.endsWith("b")`,
		`size(data.items) > 100 && data.items[5].n == 4`,
	} {
		if !takes(t, "{when: '"+when+"'}", e) {
			t.Errorf("%s: not taken", when)
		}
	}
}

func TestAnExpressionIsBounded(t *testing.T) {
	for says, when := range map[string]string{
		"long": strings.Repeat("1 == 1 && ", 500) + "true",
		"deep": strings.Repeat("(", 500) + "true" + strings.Repeat(")", 500),
	} {
		_, err := Parse("f.yaml", []byte("routes: [{name: a, match: {when: '"+when+"'}, destinations: [{type: http, address: a}]}]"), Options{Types: known})
		if err == nil || !strings.Contains(err.Error(), "is no valid CEL") {
			t.Errorf("%s: %v", says, err)
		}
	}
}

func TestAProblemInABlockNamesItsLine(t *testing.T) {
	_, err := Parse("f.yaml", []byte(`
routes:
- name: a
  match:
    when: |
      type == "a" &&
      sorce == "b"
  destinations: [{type: http, address: a}]
`), Options{Types: known})
	want := "f.yaml:5:11: routes[0].match.when: is no valid CEL: undeclared reference to 'sorce' (did you mean 'source'?) (line 2, column 1 of the text)"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestATableServesManyAtOnce(t *testing.T) {
	table := mustParse(t, `
routes:
- {name: a, match: {type: order.created, data.order.id: 7, headers.x-tenant: acme}, destinations: [{type: http, address: a}]}
- {name: b, match: {when: 'data.order.id == 7 && headers["x-tenant"] != ""'}, destinations: [{type: http, address: a}]}
- {name: c, match: {when: data.nothing}, destinations: [{type: http, address: a}]}
`)
	const workers, rounds = 8, 200
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				if got := table.Match(orderCreated(), nil); len(got) != 2 {
					t.Errorf("took %d routes", len(got))
					return
				}
			}
		})
	}
	wg.Wait()
	if got := table.Routes()[2].WhenErrors(); got != workers*rounds {
		t.Errorf("%d errors counted, want %d", got, workers*rounds)
	}
}
