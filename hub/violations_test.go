package hub

import (
	"errors"
	"fmt"
	"testing"

	"github.com/kong/keg"
	"github.com/kong/keg/answer"
)

func withSchema(policy, more string) string {
	return fmt.Sprintf(`
routes:
- name: orders
	match: {}
	schema: {type: object, required: [n], properties: {n: {type: integer}}, on_violation: %s}
	destinations: [{type: fake, address: a}]
%s- {name: copy, match: {}, destinations: [{type: fake, address: b}]}
`, policy, more)
}

const grave = "\tdead_letter: {type: fake, address: grave}\n"

func TestDataThatBreaksASchema(t *testing.T) {
	for name, test := range map[string]struct {
		table               string
		ack                 keg.Ack
		data                string
		status              int
		atA, atB, inTheTomb int
	}{
		"it holds":                               {withSchema("reject", grave), keg.AckDelivered, `{"n":1}`, 200, 1, 1, 0},
		"rejected, for every route":              {withSchema("reject", grave), keg.AckDelivered, `{"n":"x"}`, 422, 0, 0, 0},
		"rejected where nobody waits":            {withSchema("reject", grave), keg.AckNone, `{"n":"x"}`, 422, 0, 0, 0},
		"put aside, and other routes go on":      {withSchema("dead_letter", grave), keg.AckDelivered, `{"n":"x"}`, 200, 0, 1, 1},
		"there is nowhere to put it":             {withSchema("dead_letter", ""), keg.AckDelivered, `{"n":"x"}`, 422, 0, 0, 0},
		"passed":                                 {withSchema("pass", grave), keg.AckDelivered, `{"n":"x"}`, 200, 1, 1, 0},
		"no JSON at all is a violation, as well": {withSchema("reject", grave), keg.AckDelivered, `{`, 422, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t, Options{})
			p := k.port(t, PortOptions{Table: parse(t, test.table), Ack: test.ack})
			e := event("1")
			e.Data = []byte(test.data)
			r := p.Publish(t.Context(), e)[0]
			if a := answer.Of(keg.Receipts{r}, false); a.Status != test.status {
				t.Errorf("answered %d: %s", a.Status, a.Body)
			}
			if schema, ok := errors.AsType[*keg.SchemaError](r.Err); (test.status == 422) != ok || ok && schema.Route != "orders" {
				t.Errorf("%v", r.Err)
			}
			if len(k.got("a")) != test.atA || len(k.got("b")) != test.atB || len(k.got("grave")) != test.inTheTomb {
				t.Errorf("%d at a, %d at b, %d in the grave", len(k.got("a")), len(k.got("b")), len(k.got("grave")))
			}
			if test.inTheTomb > 0 {
				if h := k.got("grave")[0].Headers; h.Get("keg-dlq-reason") != "schema" || h.Get("keg-dlq-route") != "orders" || h.Get("keg-dlq-error") == "" {
					t.Errorf("%v", h)
				}
			}
		})
	}
}

func TestATransformChangesWhatIsSentToItsOwnDestination(t *testing.T) {
	k := newKit(t, Options{})
	p := k.port(t, PortOptions{Table: parse(t, `
routes:
- name: r
	match: {}
	destinations:
	- {type: fake, address: a, transform: {set: {subject: {cel: 'type + "!"'}}}}
	- {type: fake, address: b}
	- {type: fake, address: c, transform: {set: {subject: {cel: 'data.missing.deep'}}}}
`)})
	e := event("1")
	r := p.Publish(t.Context(), e)[0]
	if a, b := k.got("a")[0], k.got("b")[0]; a.Subject != "order.created!" || b.Subject != "" || e.Subject != "" {
		t.Errorf("%q, %q, %q", a.Subject, b.Subject, e.Subject)
	}
	if d := r.Deliveries[2]; !keg.IsPermanent(d.Err) || d.Attempts != 1 || len(k.got("c")) != 0 {
		t.Errorf("%+v", d)
	}
}
