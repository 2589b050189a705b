package router

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

func TestExplainNamesTheFirstConditionThatFailed(t *testing.T) {
	for _, c := range []struct{ match, key, wanted, seen string }{
		{`{type: order.changed}`, "type", `"order.changed"`, `"order.created"`},
		{`{event_type: order.changed}`, "event_type", `"order.changed"`, `"order.created"`},
		{`{data.order.id: 8, type: x}`, "data.order.id", "8", "7"},
		{`{type: order.created, region: eu}`, "region", `"eu"`, "nothing"},
		{`{type: [a, {prefix: b}]}`, "type", `["a", {prefix: "b"}]`, `"order.created"`},
		{`{retries: {gt: 5, lt: 9}}`, "retries", "{gt: 5, lt: 9}", `"3"`},
		{`{tenant: {exists: false}}`, "tenant", "{exists: false}", `"acme"`},
		{`{time: {lt: 2020-01-01T00:00:00Z}}`, "time", `{lt: "2020-01-01T00:00:00Z"}`, "2026-03-01T12:00:00Z"},
		{`{headers.X-Tenant: x}`, "headers.X-Tenant", `"x"`, `"acme", "umbrella"`},
		{`{data.order.items.sku: z}`, "data.order.items.sku", `"z"`, `"a", "b"`},
		{`{data.order.nothing: 1}`, "data.order.nothing", "1", "nothing: the data has no such value"},
		{`{data.order.note: 1}`, "data.order.note", "1", "null"},
		{`{data.order.paid: false}`, "data.order.paid", "false", "true"},
		{`{data.order: 1}`, "data.order", "1", "an object"},
		{`{data.order.empty: 1}`, "data.order.empty", "1", "an empty list"},
		{`{all: [{type: order.created}, {tenant: x}]}`, "all[1].tenant", `"x"`, `"acme"`},
		{`{not: {tenant: acme}}`, "not", "that it does not hold", "that it holds"},
		{`{any: [{tenant: x}, {type: y}]}`, "any", "one of 2", `none: any[0].tenant wants "x", saw "acme"; any[1].type wants "y", saw "order.created"`},
		{`{when: data.order.id > 9}`, "when", "data.order.id > 9", "false"},
		{`{when: data.nothing > 9}`, "when", "data.nothing > 9", "an error: no such key: nothing"},
	} {
		t.Run(c.match, func(t *testing.T) {
			table := mustParse(t, "routes:\n- name: a\n  match: "+c.match+"\n  destinations: [{type: http, address: http://a}]")
			want := []Verdict{{Route: "a", Outcome: Failed, Key: c.key, Wanted: c.wanted, Seen: c.seen}}
			if diff := cmp.Diff(want, table.Explain(orderCreated())); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExplainEveryRoute(t *testing.T) {
	table := mustParse(t, `
routes:
- {name: off, enabled: false, match: {}, destinations: [{type: http, address: a}]}
- {name: no, match: {type: x}, destinations: [{type: http, address: a}]}
- {name: yes, match: {type: order.created}, final: true, destinations: [{type: http, address: "http://a"}, {type: http, address: b, name: bee}]}
- {name: late, match: {}, destinations: [{type: http, address: a}]}
`)
	var lines []string
	for _, v := range table.Explain(orderCreated()) {
		lines = append(lines, v.Route+" "+v.String())
	}
	want := []string{
		"off not looked at: the route is disabled",
		`no not taken: type wants "x", saw "order.created"`,
		"yes taken: to http://a, bee",
		`late not looked at: route "yes" was taken and is final`,
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	text, err := json.Marshal(table.Explain(orderCreated())[2])
	if err != nil || string(text) != `{"route":"yes","outcome":"taken","destinations":["http://a","bee"]}` {
		t.Errorf("%s %v", text, err)
	}
}

func TestExplainShowsNoSecretAndNoLineBreak(t *testing.T) {
	e := &keg.Event{
		ID: "1", Source: "s", Type: "a\r\nforged: line\x00",
		Subject:    strings.Repeat("é", 10_000),
		Extensions: map[string]string{"authtoken": "t0ps3cret"},
		Headers:    keg.Headers{"authorization": {"Bearer t0ps3cret"}, "cookie": {"a=t0ps3cret"}, "x-api-key": {"t0ps3cret"}},
		Data:       []byte(`{"user":{"password":"t0ps3cret"},"many":[1,2,3,4,5,6,7,8],"cards":[{"client_secret":"t0ps3cret"}]}`),
	}
	for match, seen := range map[string]string{
		`{headers.Authorization: x}`:    "***",
		`{headers.cookie: x}`:           "***",
		`{headers.X-API-Key: x}`:        "***",
		`{authtoken: x}`:                "***",
		`{data.user.password: x}`:       "***",
		`{data.cards.client_secret: x}`: "***",
		`{data.many: 9}`:                "1, 2, 3, 4, 5, and 3 more",
		`{subject: x}`:                  `"` + strings.Repeat("é", 80) + `…"`,
		`{type: x}`:                     `"a  forged: line "`,
	} {
		table := mustParse(t, "routes:\n- name: a\n  match: "+match+"\n  destinations: [{type: http, address: http://a}]")
		if got := table.Explain(e)[0].Seen; got != seen {
			t.Errorf("%s: saw %s, want %s", match, got, seen)
		}
	}
}

func TestExplainDataThatIsNone(t *testing.T) {
	table := mustParse(t, "routes: [{name: a, match: {data.a: 1}, destinations: [{type: http, address: a}]}]")
	for data, want := range map[string]string{
		"":                           "nothing: the event has no data",
		"{":                          "nothing: the data is broken JSON",
		strings.Repeat(`{"a":`, 100): "nothing: the data is nested deeper than 64 levels",
		`{}`:                         "nothing: the data has no such value",
	} {
		if got := table.Explain(&keg.Event{Data: []byte(data)})[0].Seen; got != want {
			t.Errorf("%.10s: %s, want %s", data, got, want)
		}
	}
	if got := table.Explain(&keg.Event{DataContentType: "text/plain", Data: []byte(`{"a":1}`)})[0].Seen; got != "nothing: the data is no JSON by its content type" {
		t.Error(got)
	}
}
