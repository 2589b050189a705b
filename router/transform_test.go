package router

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

// withTransforms is a table of one route, with a transform of its own and one
// of its destination; "" is none.
func withTransforms(route, destination string) string {
	text := "routes:\n- name: a\n  match: {}\n"
	if route != "" {
		text += "  transform: " + route + "\n"
	}
	if destination != "" {
		destination = ", transform: " + destination
	}
	return text + "  destinations: [{type: http, address: 'http://a'" + destination + "}]"
}

// apply is what a transform makes of an event.
func apply(t testing.TB, transform string, e *keg.Event) (*keg.Event, error) {
	t.Helper()
	return mustParse(t, withTransforms(transform, "")).Routes()[0].Destinations[0].Transform.Apply(e)
}

func TestTransformMakesAnotherEvent(t *testing.T) {
	for says, c := range map[string]struct {
		transform string
		want      func(e *keg.Event)
	}{
		"text": {`{set: {type: order.v2, subject: "a, {b}", tenant: umbrella}}`, func(e *keg.Event) {
			e.Type, e.Subject, e.Extensions["tenant"] = "order.v2", "a, {b}", "umbrella"
		}},
		"an attribute as a match may name it": {`{set: {event_type: x, event_source: /y, event_id: z}}`, func(e *keg.Event) {
			e.Type, e.Source, e.ID = "x", "/y", "z"
		}},
		"an expression": {`{set: {subject: {cel: 'extensions.tenant + "/" + data.order.code'}}}`, func(e *keg.Event) { e.Subject = "acme/7" }},
		"values of other types, as CloudEvents writes them": {
			`{set: {a: {cel: data.order.id}, b: {cel: data.order.total}, c: {cel: data.order.paid}, d: {cel: 'b"hi"'}, e: {cel: time}, f: {cel: 7u}, g: {cel: '2.0'}, h: {cel: ''''''}}}`,
			func(e *keg.Event) {
				for name, value := range map[string]string{"a": "7", "b": "129.9", "c": "true", "d": "aGk=", "e": "2026-03-01T12:00:00Z", "f": "7", "g": "2", "h": ""} {
					e.Extensions[name] = value
				}
			},
		},
		"null takes an attribute away": {`{set: {subject: {cel: data.order.note}, tenant: {cel: 'null'}, time: {cel: 'null'}}}`, func(e *keg.Event) {
			e.Subject, e.Time = "", time.Time{}
			delete(e.Extensions, "tenant")
		}},
		"remove": {`{remove: [subject, time, datacontenttype, tenant, nothing]}`, func(e *keg.Event) {
			e.Subject, e.Time, e.DataContentType = "", time.Time{}, ""
			delete(e.Extensions, "tenant")
		}},
		"the time": {`{set: {time: "2027-01-01T00:00:00+01:00"}}`, func(e *keg.Event) {
			e.Time, _ = time.Parse(time.RFC3339, "2027-01-01T00:00:00+01:00")
		}},
		"the time by an expression": {`{set: {time: {cel: 'time + duration("1h")'}}}`, func(e *keg.Event) { e.Time = e.Time.Add(time.Hour) }},
		"headers": {`{headers: {X-New: a b, X-Tenant: {cel: 'extensions.tenant'}, x-count: {cel: 'null'}, x-id: {cel: data.order.id}}}`, func(e *keg.Event) {
			e.Headers["x-new"], e.Headers["x-tenant"], e.Headers["x-id"] = []string{"a b"}, []string{"acme"}, []string{"7"}
			delete(e.Headers, "x-count")
		}},
		"data that is built": {`{data: '{"id": data.order.id, "of": [type, null, true, 1.5, time, b"hi"], "<&>": "ü\n"}'}`, func(e *keg.Event) {
			e.Data = []byte(`{"<&>":"ü\n","id":7,"of":["order.created",null,true,1.5,"2026-03-01T12:00:00Z","aGk="]}`)
		}},
		"numbers that are passed on stay as they came": {`{data: data.order}`, func(e *keg.Event) {
			e.Data = []byte(`{"a.b":"dot","big":9007199254740993,"code":"7","empty":[],"huge":1e400,"id":7,"items":[{"n":0,"sku":"a"},{"n":20,"sku":"b"},{"tags":["x",["y"]]}],"note":null,"paid":true,"total":129.90}`)
		}},
		"lists that are joined": {`{data: 'data.list + [data.order.items[0]]'}`, func(e *keg.Event) { e.Data = []byte(`[1,20,{"n":0,"sku":"a"}]`) }},
		"macros":                {`{data: 'data.order.items.filter(i, has(i.sku)).map(i, i.sku)'}`, func(e *keg.Event) { e.Data = []byte(`["a","b"]`) }},
		"headers and extensions": {`{data: '[headers["x-tenant"], extensions]'}`, func(e *keg.Event) {
			e.Data = []byte(`["acme, umbrella",{"big":"9007199254740993","client":"::ffff:10.1.2.3","retries":"3","tenant":"acme","vip":"true","weight":"1.50"}]`)
		}},
		"text is JSON, too": {`{data: data.order.code}`, func(e *keg.Event) { e.Data = []byte(`"7"`) }},
		"null is JSON, too": {`{data: data.order.note}`, func(e *keg.Event) { e.Data = []byte(`null`) }},
		"bytes stay bytes":  {`{data: 'bytes(data.order.code)', set: {datacontenttype: text/plain}}`, func(e *keg.Event) { e.Data, e.DataContentType = []byte(`7`), "text/plain" }},
		"each sees the event that came": {`{data: '[type, subject]', set: {type: b, subject: {cel: type}}, remove: [tenant], headers: {x-tenant: {cel: extensions.tenant}}}`, func(e *keg.Event) {
			e.Data, e.Type, e.Subject = []byte(`["order.created","42"]`), "b", "order.created"
			delete(e.Extensions, "tenant")
			e.Headers["x-tenant"] = []string{"acme"}
		}},
	} {
		t.Run(says, func(t *testing.T) {
			e := orderCreated()
			got, err := apply(t, c.transform, e)
			if err != nil {
				t.Fatal(err)
			}
			want := orderCreated()
			c.want(want)
			if diff := cmp.Diff(want, got, cmp.Transformer("text", func(b []byte) string { return string(b) })); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(orderCreated(), e); diff != "" {
				t.Errorf("the event that came was changed:\n%s", diff)
			}
		})
	}
}

func TestTransformOfAnEventThatHasLittle(t *testing.T) {
	e := &keg.Event{ID: "1", Source: "s", Type: "t", DataContentType: "text/plain", Data: []byte("hello")}
	got, err := apply(t, `{data: '{"type": type, "data": data}', set: {tenant: a}, headers: {x: b}}`, e)
	if err != nil {
		t.Fatal(err)
	}
	want := &keg.Event{
		ID: "1", Source: "s", Type: "t", DataContentType: "application/json", Data: []byte(`{"data":null,"type":"t"}`),
		Extensions: map[string]string{"tenant": "a"}, Headers: keg.Headers{"x": {"b"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for transform, contentType := range map[string]string{
		`{data: 'type', set: {datacontenttype: application/x.special}}`: "application/x.special",
		`{data: 'bytes(type)'}`:                            "text/plain",
		`{data: 'type', remove: [datacontenttype]}`:        "",
		`{set: {datacontenttype: application/vnd.a+json}}`: "application/vnd.a+json",
	} {
		if got, err := apply(t, transform, e); err != nil || got.DataContentType != contentType {
			t.Errorf("%s: %v, %v", transform, got, err)
		}
	}
}

func TestTransformsThatFailSayWhere(t *testing.T) {
	for transform, want := range map[string]string{
		`{data: data.nothing.x}`:                            "routes[0].transform.data: no such key: nothing",
		`{set: {subject: {cel: data.order}}}`:               "routes[0].transform.set.subject: gave a value of type map, which is no text",
		`{set: {subject: {cel: '"a\r\nb"'}}}`:               "routes[0].transform.set.subject: gave a value that has the control character U+000D at byte 1",
		`{set: {type: {cel: data.order.note}}}`:             "routes[0].transform.set.type: gave a value that is required and must not be empty",
		`{set: {source: {cel: '"%zz"'}}}`:                   `routes[0].transform.set.source: gave a value that is no URI reference: invalid URL escape "%zz"`,
		`{set: {dataschema: {cel: '"relative"'}}}`:          "routes[0].transform.set.dataschema: gave a value that must be an absolute URI",
		`{set: {event_type: {cel: 'data.order.empty[0]'}}}`: "routes[0].transform.set.type: index out of bounds: 0",
		`{set: {time: {cel: 'type'}}}`:                      "routes[0].transform.set.time: gave text that is no time such as 2026-01-31T12:00:00Z (RFC 3339)",
		`{set: {a: {cel: 'data.order.huge'}}}`:              "routes[0].transform.set.a: ",
		`{headers: {X-A: {cel: '"a\nb"'}}}`:                 "routes[0].transform.headers.x-a: gave text with a character that no header may have, such as a line break",
		`{headers: {X-A: {cel: 'data.list'}}}`:              "routes[0].transform.headers.x-a: gave a value of type list, which is no text",
		`{data: 'dyn(duration("1h"))'}`:                     "routes[0].transform.data: gave a value of type google.protobuf.Duration, which JSON cannot write",
		`{data: '[dyn(string)]'}`:                           "routes[0].transform.data: gave a type, which is no value of JSON",
		`{data: '1.0 / 0.0'}`:                               "routes[0].transform.data: gave a number that JSON cannot write",
		`{data: '{1: 2, "1": 3}'}`:                          "routes[0].transform.data: gave an object with two members of one name",
	} {
		_, err := apply(t, transform, orderCreated())
		var failed *TransformError
		if !errors.As(err, &failed) || !keg.IsPermanent(err) {
			t.Errorf("%s: %v", transform, err)
			continue
		}
		if failed.Route != "a" || !strings.HasPrefix(err.Error(), want) || strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("%s:\ngot  %v\nwant %s", transform, err, want)
		}
	}
}

// A transform may look harmless and grow without end with what it is given.
func TestWhatATransformMakesIsBounded(t *testing.T) {
	large := &keg.Event{ID: "1", Source: "s", Type: "t", Data: []byte(`{"text":"` + strings.Repeat("a", 600_000) + `","deep":` + strings.Repeat("[", 60) + strings.Repeat("]", 60) + `}`)}
	for transform, want := range map[string]string{
		`{data: '[data, data, data]'}`:                                   "data: gave more than 1200",
		`{data: 'bytes(data.text + data.text + data.text)'}`:             "data: operation cancelled: actual cost limit exceeded",
		`{data: '[[[[data.deep]]]]'}`:                                    "",
		`{data: '[[[[[data.deep]]]]]'}`:                                  "data: gave a value that is nested deeper than 64 levels",
		`{set: {subject: {cel: data.text}}}`:                             "set.subject: gave text of more than 65536 bytes",
		`{headers: {x: {cel: data.text}}}`:                               "headers.x: gave text of more than 65536 bytes",
		`{data: '[1,2,3,4,5,6,7,8,9,10].map(a, data.text + data.text)'}`: "actual cost limit exceeded",
		`{data: 'data'}`:                                                 "",
	} {
		began := time.Now()
		_, err := apply(t, transform, large)
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%s took %v", transform, took)
		}
		if got := fmt.Sprint(err); want != "" && !strings.Contains(got, want) || want == "" && err != nil {
			t.Errorf("%s: %v", transform, err)
		}
	}
}

func TestADestinationsTransformRunsAfterItsRoutes(t *testing.T) {
	table := mustParse(t, `
routes:
- name: a
  match: {}
  transform: {data: '{"id": data.order.id}', set: {type: first}}
  destinations:
  - {type: http, address: "http://a"}
  - {type: http, address: "http://b", transform: {data: '[type, data.id]', set: {subject: {cel: type}}}}
  dead_letter: {type: http, address: "http://dead"}
- name: b
  match: {}
  destinations:
  - {type: http, address: "http://a"}
  - {type: http, address: "http://b", transform: {set: {type: own}}}
  dead_letter: {type: http, address: "http://dead", transform: {set: {type: dead}}}
unmatched:
- {type: http, address: "http://rest", transform: {set: {type: rest}}}
`)
	made := func(d *keg.Destination) string {
		if d.Transform == nil {
			return "as it came"
		}
		e, err := d.Transform.Apply(orderCreated())
		if err != nil {
			t.Fatal(err)
		}
		return e.Type + " " + e.Subject + " " + string(e.Data[:min(len(e.Data), 12)])
	}
	a, b := table.Routes()[0], table.Routes()[1]
	for i, c := range []struct {
		d    *keg.Destination
		want string
	}{
		{a.Destinations[0], `first 42 {"id":7}`},
		{a.Destinations[1], `first first ["first",7]`},
		{a.DeadLetter, "as it came"},
		{b.Destinations[0], "as it came"},
		{b.DeadLetter, "dead 42 {\n\t\t\t\"order\""},
		{table.Unmatched().Destinations[0], "rest 42 {\n\t\t\t\"order\""},
	} {
		if got := made(c.d); strings.TrimRight(got, ": ") != c.want {
			t.Errorf("%d: %q, want %q", i, got, c.want)
		}
	}
	if got := table.Summary().Transforms; got != 5 {
		t.Errorf("%d transforms counted", got)
	}
	if needs := table.Needs(); !needs.Data || needs.AllHeaders {
		t.Errorf("needs %+v", needs)
	}
	if needs := mustParse(t, withTransforms("", `{set: {subject: {cel: 'headers["a"]'}}}`)).Needs(); needs.Data || !needs.AllHeaders {
		t.Errorf("needs %+v", needs)
	}
}

func TestDestinationsThatDifferInTheirTransformAreTwo(t *testing.T) {
	table := mustParse(t, `
routes:
- name: a
  match: {}
  transform: {remove: [subject]}
  destinations:
  - {type: http, address: "http://a"}
  - {type: http, address: "http://a", transform: {set: {type: x}}}
  - {type: http, address: "http://a", transform: {set: {event_type: x}}}
  - {type: http, address: "http://a", transform: {set: {type: {cel: '"x"'}}}}
  - {type: http, address: "http://a", transform: {remove: [time, tenant]}}
  - {type: http, address: "http://a", transform: {remove: [tenant, time, tenant]}}
  - {type: http, address: "http://a", transform: {data: data}}
  - {type: http, address: "http://a", transform: {headers: {type: x}}}
`)
	if got := len(table.Routes()[0].Destinations); got != 6 {
		t.Errorf("%d destinations", got)
	}
}

func TestATransformServesManyAtOnce(t *testing.T) {
	transform := mustParse(t, withTransforms(`{data: '{"id": data.order.id, "of": headers["x-tenant"]}', set: {subject: {cel: data.order.code}}}`, `{set: {type: {cel: 'string(data.id)'}}}`)).Routes()[0].Destinations[0].Transform
	e := orderCreated()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				made, err := transform.Apply(e)
				if err != nil || made.Type != "7" || !bytes.Equal(made.Data, []byte(`{"id":7,"of":"acme, umbrella"}`)) {
					t.Errorf("%+v, %v", made, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestWrongTransforms(t *testing.T) {
	for transform, want := range map[string]string{
		`x`:                                `4:14: routes[0].transform: must be a mapping of keys to values, not "x"`,
		`{}`:                               "4:14: routes[0].transform: changes nothing: give it `data`, `set`, `remove` or `headers`",
		`{date: x}`:                        `4:15: routes[0].transform.date: unknown key (did you mean "data"?)`,
		`{data: dta.x}`:                    `4:21: routes[0].transform.data: is no valid CEL: undeclared reference to 'dta' (did you mean 'data'?)`,
		`{data: {cel: x}}`:                 `4:21: routes[0].transform.data: must be a string, or {file: path}; not another mapping`,
		`{data: 'duration("1h")'}`:         `4:21: routes[0].transform.data: must give a value that JSON can write, and is of type google.protobuf.Duration`,
		`{set: {Type: x}}`:                 `4:21: routes[0].transform.set.Type: unknown key (did you mean "type"?)`,
		`{set: {specversion: "2"}}`:        `4:21: routes[0].transform.set.specversion: cannot be set: every event here is of version 1.0`,
		`{set: {data: x}}`:                 "4:21: routes[0].transform.set.data: is no attribute: it stands beside `set`, as `data`",
		`{set: {type: ""}}`:                `4:27: routes[0].transform.set.type: must not be empty`,
		`{set: {type: "a\nb"}}`:            `4:27: routes[0].transform.set.type: has the control character U+000A at byte 1`,
		`{set: {type: 5}}`:                 `4:27: routes[0].transform.set.type: must be a string: write 5 in quotes`,
		`{set: {type: {cell: x}}}`:         `4:27: routes[0].transform.set.type: must be text, or {cel: expression}; text that begins with a brace is put in quotes`,
		`{set: {type: {cel: '[1]'}}}`:      `4:33: routes[0].transform.set.type.cel: must give text, a number, a boolean, a time or bytes, and is of type list(int)`,
		`{set: {type: {cel: typ}}}`:        `4:33: routes[0].transform.set.type.cel: is no valid CEL: undeclared reference to 'typ' (did you mean 'type'?)`,
		`{set: {type: {cel: x, file: y}}}`: `4:27: routes[0].transform.set.type: must be text, or {cel: expression}; not another mapping`,
		`{set: {time: noon}}`:              `4:27: routes[0].transform.set.time: must be a time such as 2026-01-31T12:00:00Z (RFC 3339), not "noon"`,
		`{set: {dataschema: x}}`:           `4:33: routes[0].transform.set.dataschema: must be an absolute URI`,
		`{set: {type: a, event_type: b}}`:  `4:30: routes[0].transform.set.event_type: type is set here twice`,
		`{set: {keghops: "1"}}`:            `4:21: routes[0].transform.set.keghops: cannot be set: KEG itself writes it`,
		`{set: {kegdlqreason: "1"}}`:       `4:21: routes[0].transform.set.kegdlqreason: cannot be set: KEG itself writes it`,
		// What was meant for an expression must not be sent as text.
		`{set: {subject: data.order.id}}`: `4:30: routes[0].transform.set.subject: is text, and reads like an expression: write {cel: 'data.order.id'} for its value, or {cel: '"data.order.id"'} for the text`,
		`{set: {subject: '"a"'}}`:         `4:30: routes[0].transform.set.subject: is text, and reads like an expression: write {cel: '"a"'} for its value, or {cel: '"\"a\""'} for the text`,
		`{headers: {x: "'a' + type"}}`:    `4:28: routes[0].transform.headers.x: is text, and reads like an expression: write {cel: '''a'' + type'} for its value, or {cel: '"''a'' + type"'} for the text`,
		`{remove: [id]}`:                  `4:24: routes[0].transform.remove[0]: id cannot be removed: every event has one`,
		`{remove: [subjct]}`:              ``,
		`{remove: [event_type]}`:          `4:24: routes[0].transform.remove[0]: event_type cannot be removed: every event has one`,
		`{remove: [a], set: {a: b}}`:      `4:24: routes[0].transform.remove[0]: a is set and removed`,
		`{headers: {"a b": x}}`:           `4:25: routes[0].transform.headers.a b: "a b" is no name of a header`,
		`{headers: {Ce-Type: x}}`:         `4:25: routes[0].transform.headers.Ce-Type: "Ce-Type" cannot be set: it belongs to one message, and each destination gets its own`,
		`{headers: {Content-Type: x}}`:    `4:25: routes[0].transform.headers.Content-Type: "Content-Type" cannot be set: it belongs to one message, and each destination gets its own`,
		`{headers: {Connection: x}}`:      `4:25: routes[0].transform.headers.Connection: "Connection" cannot be set: it belongs to one message, and each destination gets its own`,
		`{headers: {Keg-Dlq-Reason: x}}`:  `4:25: routes[0].transform.headers.Keg-Dlq-Reason: "Keg-Dlq-Reason" cannot be set: KEG itself writes it`,
		`{headers: {x: a, X: b}}`:         `4:31: routes[0].transform.headers.X: x is set here twice`,
		`{headers: {x: "a\r\nb"}}`:        `4:28: routes[0].transform.headers.x: has a character that no header may have, such as a line break`,
	} {
		got := strings.Join(problems(t, withTransforms(transform, ""), Options{}), "\n")
		if want != "" {
			want = "f.yaml:" + want
		}
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", transform, got, want)
		}
	}
	got := problems(t, "routes: []\ndefaults: {http: {transform: {data: data}}}", Options{})
	if want := []string{"f.yaml:2:19: defaults.http.transform: cannot be a default, which dead letters would inherit: give it to a route or a destination"}; cmp.Diff(want, got) != "" {
		t.Errorf("%q", got)
	}
}

func TestASecretOfATransformIsNeverShown(t *testing.T) {
	for _, transform := range []string{
		`{data: '"${SECRET}" + 1'}`,
		`{data: 'data["${SECRET}"]'}`,
		`{data: 'data.order["${SECRET}"]', set: {subject: "${SECRET}"}, headers: {x: "${SECRET}", y: {file: /secret}}}`,
		`{set: {type: "${LINES}"}}`,
		`{set: {time: "${SECRET}"}}`,
		`{set: {subject: {cel: '"${SECRET}"'}}, headers: {x: {cel: '"${SECRET}"'}}}`,
		`{headers: {x: "${LINES}"}}`,
		`{remove: ["${SECRET}"]}`,
	} {
		for _, own := range []string{"", `{set: {subject: {cel: 'string(headers.size()) + subject'}, copy: {cel: '"x" in headers ? headers["x"] : ""'}}, data: '[data, subject, headers]'}`} {
			table, err := Parse("f.yaml", []byte(withTransforms(transform, own)), secretive())
			said := fmt.Sprintf("%v %+v", err, err)
			if err == nil {
				said = fmt.Sprintf("%+v", table.Explain(orderCreated()))
				for _, x := range table.Explain(orderCreated())[0].Transformed {
					said += fmt.Sprint(x.Changes, x.Error)
				}
				_, err = table.Routes()[0].Destinations[0].Transform.Apply(orderCreated())
				said += fmt.Sprintf("%v %+v", err, err)
			}
			if strings.Contains(said, "Tr0ub") {
				t.Errorf("%s, %s: %s", transform, own, said)
			}
		}
	}
}
