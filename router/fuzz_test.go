package router

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http/httpguts"

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
	f.Add(`[{"name":"a","match":{},"ordered":true,"transform":{"data":"[data]","set":{"time":{"cel":"time"}},"remove":["subject"]},"schema":{"inline":{"$ref":"#"},"on_violation":"pass"},"destinations":[{"type":"http","address":"a","transform":{"headers":{"x":"${X}"}}}]}]`)
	f.Add("routes: [{name: a, match: {}, schema: {properties: {a: {anyOf: [{$ref: '#'}, {$ref: '#'}]}}}, destinations: [{type: http, address: a}]}]\nsources: [{type: feed, address: 'a:1', dedupe: 1h}]")
	o := Options{
		Types:       known,
		SourceTypes: withFeeds().SourceTypes,
		LookupEnv:   func(name string) (string, bool) { return "v", name == "X" },
		ReadFile:    func(string) ([]byte, error) { return nil, errors.New("no file") },
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

// FuzzTransform looks for an expression or a text with which an event panics,
// hangs, changes under its other readers, or becomes illegal or too large.
func FuzzTransform(f *testing.F) {
	f.Add(`{"a": data}`, "type", "x", `{"a":[1,2.5,1e400,null]}`, "a")
	f.Add(`bytes(data.a)`, `data.a + "\r\n"`, "\r\n", `{"a":"\u0000\ud800"}`, "b\r\nc: d")
	f.Add(`[[data, data], [data, data]].map(a, [a, a])`, `time`, "2026-01-01T00:00:00Z", `[[[[]]]]`, "")
	f.Add(`dyn(type(1))`, `null`, "", ``, "\xff")
	f.Add(`{1: 1u, true: b"x", "c": duration("1s")}`, `extensions`, "a", `0`, "")
	f.Fuzz(func(t *testing.T, data, value, text, came, header string) {
		quoted := func(text string) string { b, _ := json.Marshal(text); return string(b) }
		transform := `{"data":` + quoted(data) + `,"set":{"subject":{"cel":` + quoted(value) + `},"tenant":` + quoted(text) + `,"time":{"cel":` + quoted(value) + `}},"headers":{"x":{"cel":` + quoted(value) + `},"y":` + quoted(text) + `}}`
		table, err := ParseRoutes("f", []byte(withTransform(transform)), Options{Types: known, LookupEnv: func(string) (string, bool) { return "", false }})
		if err != nil {
			return
		}
		e := orderCreated()
		e.Data, e.Headers["x-tenant"] = []byte(came), []string{header}
		before := e.Clone()
		began := time.Now()
		made, err := table.Routes()[0].Destinations[0].Transform.Apply(e)
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("took %v", took)
		}
		if !reflect.DeepEqual(before, e) || string(e.Data) != came {
			t.Error("the event that came was changed")
		}
		var failed *TransformError
		if err != nil {
			if !errors.As(err, &failed) || !keg.IsPermanent(err) || strings.ContainsAny(err.Error(), "\r\n\x00") || len(err.Error()) > 2000 {
				t.Errorf("the error is %T: %q", err, err)
			}
			return
		}
		if err := made.Validate(); err != nil {
			t.Errorf("an illegal event: %v", err)
		}
		if len(made.Data) > maxTransformed+2*len(came) || made.DataContentType == "application/json" && !json.Valid(made.Data) && !strings.HasPrefix(data, "b") {
			t.Errorf("data: %d bytes, %.200q", len(made.Data), made.Data)
		}
		for _, name := range []string{"x", "y"} {
			if !httpguts.ValidHeaderFieldValue(made.Headers.Get(name)) {
				t.Errorf("header %q", made.Headers.Get(name))
			}
		}
		for _, c := range table.Explain(e)[0].Transformed[0].Changes {
			if strings.ContainsAny(c.String(), "\r\n\x00") {
				t.Errorf("change %q", c)
			}
		}
	})
}

// FuzzSchema looks for a schema and data that panic, hang, or are told about
// at length.
func FuzzSchema(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}}}`, `{"a":{"a":{"a":1}}}`)
	f.Add(`{"items":{"multipleOf":0.1,"enum":[1,"x"]},"uniqueItems":true}`, `[1e999999999,1,1.0]`)
	f.Add(`{"patternProperties":{"^a+$":{"format":"date-time"}},"additionalProperties":false}`, `{"aa":"x","\r\n":1}`)
	f.Add(`{"$schema":"http://json-schema.org/draft-04/schema#","id":"x","definitions":{"a":{"id":"#b"}},"$ref":"#b"}`, `null`)
	f.Add(`{"$id":"http://[","$ref":"%zz"}`, `0`)
	f.Add(`{"if":{"contains":{"const":1}},"then":false,"unevaluatedItems":{"not":{}},"dependentSchemas":{"a":{"minContains":1}}}`, `[1]`)
	f.Fuzz(func(t *testing.T, schema, data string) {
		began := time.Now()
		table, err := ParseRoutes("f", []byte(withSchema(`{"inline":`+schema+`}`)), Options{Types: known, LookupEnv: func(string) (string, bool) { return "", false }})
		if err == nil {
			broken := table.Routes()[0].Schema.Check(&keg.Event{Data: []byte(data)})
			if broken != nil && (broken.Problem == "" || strings.ContainsAny(broken.Error(), "\r\n\x00") || len(broken.Error()) > 4000) {
				t.Errorf("%.4000q", broken)
			}
			again := table.Routes()[0].Schema.Check(&keg.Event{Data: []byte(data)})
			if !reflect.DeepEqual(broken, again) {
				t.Errorf("%v, and then %v", broken, again)
			}
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("took %v", took)
		}
	})
}
