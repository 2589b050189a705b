package router

import (
	"errors"
	"strings"
	"testing"

	"github.com/kong/keg"
)

// FuzzParse looks for a text that panics, hangs, or is refused without a
// place and a reason.
func FuzzParse(f *testing.F) {
	f.Add("routes: [{name: a, match: {type: [x, {prefix: y}], when: 'id == \"1\"'}, destinations: [{type: kafka, address: a:1, topic: t}]}]")
	f.Add("routes: &a [*a]")
	f.Add("routes:\n- <<: {name: a}\n  match: {data.a.0: {gt: 1e400, cidr: ::/0}, time: {lt: 2020-01-01}}\n")
	f.Add(`{"routes":{},"defaults":{"kafka":{"tls":[]},"retry":null},"unmatched":[]}`)
	f.Add(`[{"name":"\ud800","match":{"x":{"regex":"(a{9}){9}"}},"destinations":[{"type":"${X}","address":{"file":"x"}}]}]`)
	f.Add("a: &x [1,1,1]\nb: &y [*x,*x,*x]\nroutes: [*y,*y]")
	f.Add("? [a]\n: b\n--- !!binary x")
	o := Options{
		Types:     known,
		LookupEnv: func(name string) (string, bool) { return "v", name == "X" },
		ReadFile:  func(string) ([]byte, error) { return nil, errors.New("no file") },
	}
	f.Fuzz(func(t *testing.T, text string) {
		table, err := ParseRoutes("f", []byte(text), o)
		if err == nil {
			for _, r := range table.Routes() {
				if r.Name == "" || len(r.Destinations) == 0 {
					t.Errorf("a route without name or destinations passed: %+v", r)
				}
			}
			table.Match(orderCreated(), nil)
			table.Explain(orderCreated())
			return
		}
		var all Errors
		if !errors.As(err, &all) || len(all) == 0 {
			t.Fatalf("the error is %T", err)
		}
		for _, e := range all {
			if e.Problem == "" || strings.ContainsAny(e.Problem, "\r\n") {
				t.Errorf("problem %q", e.Problem)
			}
		}
	})
}

// FuzzMatch looks for an event that panics or on which index and naive
// matching differ.
func FuzzMatch(f *testing.F) {
	table := mustParse(f, `
routes:
- {name: a, match: {type: [a, {prefix: b}, {wildcard: "c*d*e"}, {regex: "^[f-h]+$"}, 5]}, destinations: [{type: http, address: a}]}
- {name: b, match: {source: {equals_ignore_case: SRC}, tenant: {anything_but: {gt: 5}}}, destinations: [{type: http, address: a}]}
- {name: c, match: {data.a.b: [1, {gt: 2, lt: 3}, {cidr: 10.0.0.0/8}, null]}, destinations: [{type: http, address: a}]}
- {name: d, match: {headers.x: {gte: 0.1}, not: {data.0.x: {exists: true}}}, destinations: [{type: http, address: a}]}
- {name: e, match: {when: 'data.a.b > 1 || data[0] == type'}, destinations: [{type: http, address: a}]}
`)
	f.Add("a", "src", "6", "1e999999999", `{"a":{"b":[1,2.5]}}`)
	f.Add("cde", "SRC", "", "0x1p-2", `[[[{"x":null}]]]`)
	f.Add("", "", "-0", "NaN", `{"a":{"b":1E400}} `)
	f.Fuzz(func(t *testing.T, typ, source, tenant, header, data string) {
		e := &keg.Event{
			ID: "1", Type: typ, Source: source, Data: []byte(data),
			Extensions: map[string]string{"tenant": tenant}, Headers: keg.Headers{"x": {header, ""}},
		}
		got, want := names(table.Match(e, nil)), names(naive(table, e))
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("index %v, naive %v", got, want)
		}
		for _, v := range table.Explain(e) {
			if strings.ContainsAny(v.Seen, "\r\n\x00") {
				t.Errorf("saw %q", v.Seen)
			}
		}
	})
}
