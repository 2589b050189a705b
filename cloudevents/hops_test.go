package cloudevents

import (
	"strings"
	"testing"

	"github.com/kong/keg"
)

// Whatever wire an event leaves by, what reads it again knows how often it has
// come in.
func TestHopsSurviveEveryWire(t *testing.T) {
	e := &keg.Event{ID: "1", Source: "/s", Type: "t", Data: []byte(`{}`), Headers: keg.Headers{"keg-hops": {"3"}}}
	wires := map[string]func() (*keg.Event, error){
		"Kafka, binary": func() (*keg.Event, error) {
			headers, value, _ := ToKafka(e, keg.FormatBinary)
			return FromKafka(&Record{Topic: "a", Brokers: "b:1", Headers: headers, Value: value})
		},
		"Kafka, structured": func() (*keg.Event, error) {
			headers, value, _ := ToKafka(e, keg.FormatStructured)
			return FromKafka(&Record{Topic: "a", Brokers: "b:1", Headers: headers, Value: value})
		},
		"Kafka, raw": func() (*keg.Event, error) {
			headers, value, _ := ToKafka(e, keg.FormatRaw)
			return FromKafka(&Record{Topic: "a", Brokers: "b:1", Headers: headers, Value: value})
		},
		"Kafka, JSON alone": func() (*keg.Event, error) {
			return FromKafka(&Record{Topic: "a", Brokers: "b:1", Headers: []Header{{"content-type", []byte("application/cloudevents+json")}}, Value: AppendJSON(nil, e)})
		},
		"MQTT": func() (*keg.Event, error) {
			payload, _ := ToMQTT(e, keg.FormatStructured)
			return FromMQTT(Message{Broker: "b:1", Topic: "a", Payload: payload})
		},
	}
	for name, wire := range wires {
		read, err := wire()
		if err != nil || keg.Hops(read) != 3 {
			t.Errorf("%s: %d hops, %v, %+v", name, keg.Hops(read), err, read)
			continue
		}
		if _, told := read.Extensions["keghops"]; told {
			t.Errorf("%s: the count is an extension, too", name)
		}
	}
	for _, format := range []keg.Format{keg.FormatBinary, keg.FormatStructured, keg.FormatRaw} {
		header, body, _ := ToHTTP(e, format)
		r := &Request{Method: "POST", Host: "h", Path: "/", Headers: keg.Headers{}, Body: body}
		for name, values := range header {
			r.Headers[strings.ToLower(name)] = values
		}
		batch, err := FromRequest(r, Options{})
		if err != nil || keg.Hops(batch.Entries[0].Event) != 4 {
			t.Errorf("HTTP, %s: %d hops, want one more than there were; %v", format, keg.Hops(batch.Entries[0].Event), err)
		}
	}
}

func TestAStrangersHopsBreakNothing(t *testing.T) {
	for value, want := range map[string]int{
		"": 0, "-1": 0, "x": 0, "1e9": 0, "7": 7, "999999999": 1_000_000, "99999999999999999999": 0, "0": 0,
	} {
		e, err := FromKafka(&Record{Topic: "a", Brokers: "b:1", Headers: []Header{{"keg_hops", []byte(value)}, {"KEG_HOPS", []byte("x")}}})
		if err != nil || keg.Hops(e) != want {
			t.Errorf("%q in Kafka: %d, %v", value, keg.Hops(e), err)
		}
		e, err = FromJSON([]byte(`{"specversion":"1.0","id":"1","source":"/s","type":"t","keghops":"` + value + `"}`))
		if err != nil || e.Extensions["keghops"] != value {
			t.Errorf("%q in JSON: %+v, %v", value, e, err)
			continue
		}
		if takeHops(e); keg.Hops(e) != want || e.Extensions != nil {
			t.Errorf("%q in JSON: %d hops, %v", value, keg.Hops(e), e.Extensions)
		}
	}
}

// Entries of a batch share their request's headers, and not their hops.
func TestEachEventOfABatchHasItsOwnHops(t *testing.T) {
	body := `[{"specversion":"1.0","id":"1","source":"/s","type":"t","keghops":"2"},{"specversion":"1.0","id":"2","source":"/s","type":"t"}]`
	batch, err := FromRequest(&Request{Headers: keg.Headers{"content-type": {"application/cloudevents-batch+json"}}, Body: []byte(body)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := keg.Hops(batch.Entries[0].Event), keg.Hops(batch.Entries[1].Event); a != 3 || b != 0 {
		t.Errorf("%d and %d hops, want 3 and 0", a, b)
	}
}
