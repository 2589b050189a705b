package cloudevents

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/kong/keg"
)

func TestMessagesBecomeEvents(t *testing.T) {
	plain := func(payload string) *keg.Event {
		return &keg.Event{Type: "mqtt.message", Source: "//mosquitto:1883/sensors/a%20b/1", Time: received, Data: []byte(payload)}
	}
	tests := map[string]struct {
		payload string
		want    *keg.Event
	}{
		"structured JSON is the event":               {" " + doc(`"data":[1]`), &keg.Event{ID: "1", Type: "t", Source: "/s", Data: []byte("[1]")}},
		"JSON that is no event is data":              {`{"temperature":21}`, plain(`{"temperature":21}`)},
		"an event with a mistake is data too":        {`{"specversion":"1.0","id":"1"}`, plain(`{"specversion":"1.0","id":"1"}`)},
		"what is not JSON is data":                   {"21.5 C\xff", plain("21.5 C\xff")},
		"a message without a payload has empty data": {"", plain("")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := FromMQTT(Message{Broker: "mosquitto:1883", Topic: "sensors/a b/1", Payload: []byte(test.payload), Received: received})
			if err != nil {
				t.Fatal(err)
			}
			if test.want.ID == "" {
				if id, err := uuid.Parse(got.ID); err != nil || id.Version() != 7 {
					t.Errorf("id %q", got.ID)
				}
				got.ID = ""
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoTopicMakesAMessageUnreadable(t *testing.T) {
	for _, topic := range []string{"", "/", "a//b", "a?b#c", "50%", "ü/\"x\"", "a\nb", "\xff", ":a", "..", "a\x00"} {
		e, err := FromMQTT(Message{Broker: "h:1", Topic: topic, Payload: []byte("x")})
		if err != nil {
			t.Errorf("%q: %v", topic, err)
			continue
		}
		if !isAttributeText(e.Source) || e.Time.IsZero() {
			t.Errorf("%q: source %q, time %v", topic, e.Source, e.Time)
		}
	}
}

func TestEventsBecomeMessages(t *testing.T) {
	for name, e := range events() {
		for _, format := range []keg.Format{keg.FormatStructured, keg.FormatBinary} {
			payload, err := ToMQTT(e, format)
			if err != nil {
				t.Fatal(err)
			}
			got, err := FromMQTT(Message{Payload: payload})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if diff := cmp.Diff(e, got, sameEvent); diff != "" {
				t.Errorf("%s, %s (-sent +got):\n%s", name, format, diff)
			}
		}
		if payload, err := ToMQTT(e, keg.FormatRaw); err != nil || string(payload) != string(e.Data) {
			t.Errorf("%s, raw: %q, %v", name, payload, err)
		}
	}
	if _, err := ToMQTT(&keg.Event{}, "avro"); !keg.IsPermanent(err) {
		t.Errorf("an unknown format: %v", err)
	}
}

func TestHeadersStayOutOfMessages(t *testing.T) {
	e := &keg.Event{ID: "1", Type: "t", Source: "/s", Headers: keg.Headers{"x-tenant": {"acme"}}}
	with, _ := ToMQTT(e, keg.FormatStructured)
	without, _ := ToMQTT(bare(e), keg.FormatStructured)
	if diff := cmp.Diff(string(without), string(with)); diff != "" {
		t.Errorf("payload (-without +with headers):\n%s", diff)
	}
}
