package router

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

func TestExplainShowsWhatSchemaAndTransformsMake(t *testing.T) {
	table := mustParse(t, `
routes:
- name: fits
  match: {}
  schema: {required: [order]}
  transform: {set: {type: v2, tenant: {cel: 'null'}}, headers: {x-count: "11", x-new: a}}
  destinations:
  - {type: http, address: "http://a"}
  - {type: http, address: "http://b", transform: {data: '{"id": data.order.id, "password": "hunter2"}', remove: [subject]}}
  - {type: http, address: "http://c", transform: {data: data.nothing}}
- name: breaks
  match: {}
  schema: {properties: {order: {properties: {id: {type: string}}}}}
  transform: {set: {type: v2}}
  destinations: [{type: http, address: "http://a"}]
- name: passes
  match: {}
  schema: {required: [nothing], on_violation: pass}
  destinations: [{type: http, address: "http://a"}, {type: http, address: "http://b", transform: {set: {type: order.created}}}]
- name: dies
  match: {}
  schema: {required: [nothing], on_violation: dead_letter}
  destinations: [{type: http, address: "http://a"}]
`)
	e := orderCreated()
	e.Data = []byte(`{"order": {"id": 7}}`)
	var lines []string
	for _, v := range table.Explain(e) {
		if v.Schema != nil {
			lines = append(lines, v.Route+": "+v.Schema.String())
		}
		for _, x := range v.Transformed {
			lines = append(lines, v.Route+" "+x.Destination+" "+x.Error)
			for _, c := range x.Changes {
				lines = append(lines, "  "+c.String())
			}
		}
	}
	route := []string{
		`  type: "order.created" -> "v2"`, `  tenant: "acme" -> nothing`, `  headers.x-count: "10" -> "11"`, `  headers.x-new: nothing -> "a"`,
	}
	want := append([]string{"fits: the data fits the schema", "fits http://a "}, route...)
	want = append(want, "fits http://b ", route[0], `  subject: "42" -> nothing`, route[1], route[2], route[3],
		`  data: {"order":{"id":7}} -> {"id":7,"password":"***"}`,
		"fits http://c routes[0].destinations[2].transform.data: no such key: nothing",
		`breaks: "/order/id" breaks the schema: must be of type string, not number; the event is refused with 422 (on_violation: reject)`,
		`passes: the data breaks the schema: needs "nothing"; it is delivered nevertheless (on_violation: pass)`,
		"passes http://b ",
		`dies: the data breaks the schema: needs "nothing"; it becomes a dead letter (on_violation: dead_letter)`,
	)
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	text, err := json.Marshal(table.Explain(e)[2])
	if want := `{"route":"passes","outcome":"taken","destinations":["http://a","http://b"],"schema":{"holds":false,"problem":"needs \"nothing\"","on_violation":"pass"},"transformed":[{"destination":"http://b"}]}`; err != nil || string(text) != want {
		t.Errorf("%s %v", text, err)
	}
}

func TestAnExplanationOfATransformMasksSecretsAndStaysShort(t *testing.T) {
	e := &keg.Event{
		ID: "1", Source: "s", Type: "t", Headers: keg.Headers{"x-api-key": {"t0ps3cret"}, "x": {"a"}},
		Data: []byte(`{"user":{"password":"t0ps3cret"},"list":[{"client_secret":"t0ps3cret"}],"text":"` + strings.Repeat("é\\r\\n", 100_000) + `"}`),
	}
	table := mustParse(t, withTransforms(`{data: '{"was": data}', set: {authtoken: t0ps3cret}, headers: {x-api-key: t0ps3cret2, Cookie: t0ps3cret, x: {cel: '"b"'}}}`, ""))
	said := fmt.Sprint(table.Explain(e)[0].Transformed[0].Changes)
	if strings.Contains(said, "t0ps3cret") || strings.ContainsAny(said, "\r\n") || len(said) > 10*maxChange {
		t.Errorf("%d characters: %.3000s", len(said), said)
	}
	for _, part := range []string{"authtoken: nothing -> \"***\"", `headers.x: "a" -> "b"`, `headers.cookie: nothing -> "***"`} {
		if !strings.Contains(said, part) {
			t.Errorf("%.3000s lacks %s", said, part)
		}
	}
}
