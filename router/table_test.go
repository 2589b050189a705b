package router

import (
	"testing"

	"github.com/kong/keg"
)

func TestSmoke(t *testing.T) {
	table, err := Parse("routes.yaml", []byte(`
routes:
  - name: "order-events-to-processing"
    match:
      event_type: "order.created"
    destinations:
      - type: "kafka"
        address: "kafka:9092"
        topic: "order-processing"
  - name: other
    match: {when: 'type == "order.created" && data.x > 3'}
    destinations: [{type: kafka, address: [a:1, b:2], topic: x}]
`), Options{Types: types})
	if err != nil {
		t.Fatal(err)
	}
	got := table.Match(&keg.Event{Type: "order.created", Data: []byte(`{"x":4}`)}, nil)
	t.Log(got[0].Name, got[0].Destinations[0], len(got))
	_, err = Parse("routes.yaml", []byte(`
rutes: x
routes:
  - name: "order-events-to-processing"
    match:
      event_typ: "order.created"
      when: data.x +
    destinations:
      - type: "kafka"
        adress: "kafka:9092"
        topic: "ba d"
        acks: al
      - type: kafka
        address: 1
        topic: ba d
      - type: kakfa
`), Options{Types: types})
	t.Log("\n" + err.Error())
}
