package cloudevents

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kong/keg"
)

// record is offset 7 of orders-2 with these headers.
func record(value []byte, headers ...string) *Record {
	r := &Record{Topic: "orders", Partition: 2, Offset: 7, Brokers: "kafka:9092,kafka2:9092", Value: value, Time: received}
	for i := 0; i < len(headers); i += 2 {
		r.Headers = append(r.Headers, Header{headers[i], []byte(headers[i+1])})
	}
	return r
}

func ceRecord(value []byte, extra ...string) *Record {
	return record(value, append([]string{"ce_specversion", "1.0", "ce_id", "1", "ce_type", "t", "ce_source", "/s"}, extra...)...)
}

func TestRecordsBecomeEvents(t *testing.T) {
	keyed := func(r *Record, key string) *Record { r.Key = []byte(key); return r }
	at := func(r *Record, t time.Time) *Record { r.Time = t; return r }
	plain := func(change func(*keg.Event)) *keg.Event {
		e := &keg.Event{ID: "orders-2-7", Type: "kafka.record", Source: "//kafka:9092/orders", Time: received}
		change(e)
		return e
	}
	tests := map[string]struct {
		record *Record
		want   *keg.Event
	}{
		"binary": {
			ceRecord([]byte("hi"), "content-type", "text/plain", "ce_subject", "Euro €", "ce_tenant", "acme", "ce_time", "2026-01-31T12:00:00Z"),
			&keg.Event{ID: "1", Type: "t", Source: "/s", Subject: "Euro €", Time: received, DataContentType: "text/plain",
				Extensions: map[string]string{"tenant": "acme"}, Data: []byte("hi")},
		},
		"binary values are not percent-decoded": {ceRecord(nil, "ce_subject", "100%41"), &keg.Event{ID: "1", Type: "t", Source: "/s", Subject: "100%41"}},
		"binary with dashes, as some write it": {
			record([]byte("1"), "ce-specversion", "1.0", "ce-id", "1", "ce-type", "t", "CE-Source", "/s", "Content-Type", "application/json"),
			&keg.Event{ID: "1", Type: "t", Source: "/s", DataContentType: "application/json", Data: []byte("1")},
		},
		"a tombstone is an event without data":    {ceRecord(nil), &keg.Event{ID: "1", Type: "t", Source: "/s"}},
		"an empty value is not a tombstone":       {ceRecord([]byte{}), &keg.Event{ID: "1", Type: "t", Source: "/s", Data: []byte{}}},
		"a key does not change a CloudEvent":      {keyed(ceRecord(nil), "k"), &keg.Event{ID: "1", Type: "t", Source: "/s"}},
		"structured":                              {record([]byte(doc(`"data":[1]`)), "content-type", "application/cloudevents+json; charset=UTF-8"), &keg.Event{ID: "1", Type: "t", Source: "/s", Data: []byte("[1]")}},
		"plain: the record's place is its id":     {record([]byte("x"), "content-type", "text/plain"), plain(func(e *keg.Event) { e.DataContentType, e.Data = "text/plain", []byte("x") })},
		"plain: the key becomes the partitionkey": {keyed(record(nil), "kündin 7"), plain(func(e *keg.Event) { e.Extensions = map[string]string{"partitionkey": "kündin 7"} })},
		"plain: a key of bytes does as base64":    {keyed(record(nil), "\x00\xff"), plain(func(e *keg.Event) { e.Extensions = map[string]string{"partitionkey": "AP8="} })},
		"plain: a content type that is no text":   {record(nil, "content-type", "a\x85"), plain(func(*keg.Event) {})},
		"plain: a time that no calendar has":      {at(record(nil), time.UnixMilli(1<<62)), plain(func(e *keg.Event) { e.Time = time.Time{} })},
		"plain: no time at all":                   {at(record(nil), time.Time{}), plain(func(e *keg.Event) { e.Time = time.Time{} })},
		"plain: a header of no CloudEvent":        {record([]byte("x"), "ce_other", "1"), plain(func(e *keg.Event) { e.Data = []byte("x") })},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := FromKafka(test.record)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, bare(got)); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRecordHeadersAreKept(t *testing.T) {
	e, err := FromKafka(record(nil, "X-Tenant", "acme", "x-tenant", "beta", "bytes", "\xff", "bad name", "x", "traceparent", otherTrace,
		"keg_dlq_first_time", "then"))
	if err != nil {
		t.Fatal(err)
	}
	want := keg.Headers{"x-tenant": {"acme", "beta"}, "traceparent": {otherTrace}, "keg-dlq-first-time": {"then"}}
	if diff := cmp.Diff(want, e.Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if e.Extensions["traceparent"] != otherTrace {
		t.Error("the record's trace is not the event's")
	}
}

func TestRecordsThatAreRefused(t *testing.T) {
	tests := map[string]*Record{
		`"ce_type" is required and is missing`:                                  record(nil, "ce_specversion", "1.0", "ce_id", "1", "ce_source", "/s"),
		`"specversion" must be "1.0", the one version that KEG reads`:           record(nil, "ce_specversion", "0.3", "ce_id", "1", "ce_source", "/s", "ce_type", "t"),
		`"ce-id" is there more than once`:                                       ceRecord(nil, "ce-id", "2"),
		`"ce_datacontenttype" must not be sent; content-type says it`:           ceRecord(nil, "ce_datacontenttype", "x"),
		`"subject" is not UTF-8 at byte 0`:                                      ceRecord(nil, "ce_subject", "\xff"),
		`"subject" has the control character U+000A at byte 0`:                  ceRecord(nil, "ce_subject", "\n"),
		"broken JSON at byte 0: it ends too early":                              record(nil, "content-type", "application/cloudevents+json"),
		"Kafka has no batch mode; write one record for each event":              record([]byte("[]"), "content-type", "application/cloudevents-batch+json"),
		"the media type is a CloudEvents format that KEG cannot read; send":     record(nil, "content-type", "application/cloudevents+avro"),
		`"data" is the name of a context attribute, not of an extension`:        ceRecord(nil, "ce_data", "x"),
		`"data_base64" is the name of a context attribute, not of an extension`: ceRecord(nil, "ce_data_base64", "x"),
	}
	for want, r := range tests {
		e, err := FromKafka(r)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want %s\ngot %v, %v", want, e, err)
		}
		var invalid *keg.InvalidError
		var unsupported *keg.UnsupportedError
		if !errors.As(err, &invalid) && !errors.As(err, &unsupported) {
			t.Errorf("%v is %T", err, err)
		}
	}
}

func TestEventsBecomeRecords(t *testing.T) {
	e := &keg.Event{ID: "1", Type: "t", Source: "/s", Subject: "Euro €", Time: received, DataContentType: "text/plain", DataSchema: "urn:x",
		Extensions: map[string]string{"b": "2", "a": "1"}, Data: []byte("hi"),
		Headers: keg.Headers{
			"x-tenant": {"acme", "beta"}, "content-type": {"text/html"}, "host": {"h"}, "ce-id": {"forged"}, "ce_id": {"forged"}, "connection": {"close"},
			"content-length": {"7"}, "x-feed": {"a\nb"}, "keg-dlq-last-time": {"now\nthen"}, "a name": {"x"},
		}}
	forwarded := []Header{{"keg_dlq_last_time", []byte("now then")}, {"x-tenant", []byte("acme")}, {"x-tenant", []byte("beta")}}
	text := func(pairs ...string) []Header {
		var headers []Header
		for i := 0; i < len(pairs); i += 2 {
			headers = append(headers, Header{pairs[i], []byte(pairs[i+1])})
		}
		return append(headers, forwarded...)
	}
	tests := map[keg.Format]struct {
		headers []Header
		value   string
	}{
		keg.FormatBinary: {text("ce_specversion", "1.0", "ce_id", "1", "ce_source", "/s", "ce_type", "t", "ce_subject", "Euro €",
			"ce_time", "2026-01-31T12:00:00Z", "ce_dataschema", "urn:x", "ce_a", "1", "ce_b", "2", "content-type", "text/plain"), "hi"},
		keg.FormatStructured: {text("content-type", "application/cloudevents+json; charset=utf-8"), string(AppendJSON(nil, e))},
		keg.FormatRaw:        {text("content-type", "text/plain"), "hi"},
	}
	for format, want := range tests {
		headers, value, err := ToKafka(e, format)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.headers, headers); diff != "" {
			t.Errorf("%s: headers (-want +got):\n%s", format, diff)
		}
		if string(value) != want.value {
			t.Errorf("%s: value %q", format, value)
		}
	}
	if _, _, err := ToKafka(e, "avro"); !keg.IsPermanent(err) {
		t.Errorf("an unknown format: %v", err)
	}
}

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	for name, e := range events() {
		for _, format := range []keg.Format{keg.FormatBinary, keg.FormatStructured} {
			headers, value, err := ToKafka(e, format)
			if err != nil {
				t.Fatal(err)
			}
			if format == keg.FormatBinary && e.Data == nil && value != nil {
				t.Errorf("%s: no data is no tombstone", name)
			}
			got, err := FromKafka(&Record{Headers: headers, Value: value})
			if err != nil {
				t.Fatalf("%s, %s: %v", name, format, err)
			}
			if diff := cmp.Diff(e, bare(got), sameEvent); diff != "" {
				t.Errorf("%s, %s (-sent +got):\n%s", name, format, diff)
			}
		}
	}
}

// sameEvent compares what travels: data that names no type may come to be named
// what it is taken for, and its absence may not.
var sameEvent = cmp.Options{
	cmp.Transformer("", func(e keg.Event) keg.Event {
		if e.DataContentType == "" && len(e.Data) > 0 && isJSON(e.Data) {
			e.DataContentType = "application/json"
		}
		if e.JSONData() && isJSON(e.Data) {
			e.Data = []byte(strings.Trim(string(e.Data), " \t\r\n"))
		}
		e.Headers = nil
		return e
	}),
	cmpopts.EquateEmpty(),
	cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
}

// events are one of each kind that a wire may trip over.
func events() map[string]*keg.Event {
	all := map[string]*keg.Event{
		"bare":        {},
		"everything":  {Subject: "s", Time: received, DataContentType: "application/json", DataSchema: "urn:x", Extensions: map[string]string{"a": "1", "traceparent": ownTrace}, Data: []byte(`{"a":1}`)},
		"odd text":    {Subject: `€ "50%" 😀 %20 \`, Extensions: map[string]string{"x": ` "quoted" `, "empty": ""}},
		"quoted":      {Subject: `"all of it"`},
		"text":        {DataContentType: "text/plain", Data: []byte("a\r\nb\x00")},
		"empty text":  {DataContentType: "text/plain", Data: []byte{}},
		"bytes":       {DataContentType: "application/octet-stream", Data: []byte{0, 1, 255}},
		"no type":     {Data: []byte("not JSON")},
		"JSON string": {DataContentType: "application/json", Data: []byte(`"a string"`)},
		"null":        {DataContentType: "application/json", Data: []byte(`null`)},
		"broken JSON": {DataContentType: "application/json", Data: []byte(`{`)},
		"an event inside an event": {DataContentType: "Application/CloudEvents+json",
			Data: []byte(`{"specversion":"1.0","id":"forged","type":"t","source":"/s"}`)},
		"a batch inside an event": {DataContentType: "application/cloudevents-batch+json", Data: []byte(`[]`)},
		"a time to the nanosecond": {
			Time: time.Date(2026, 1, 31, 12, 0, 0, 123456789, time.FixedZone("", -90*60))},
	}
	for _, e := range all {
		e.ID, e.Type, e.Source = "1", "t", "/s"
	}
	return all
}

// What an entry chose to send on beside data of its own making goes along.
func TestRawDataWithoutAContentTypeHasTheHeadersThatItsEntryChose(t *testing.T) {
	e := &keg.Event{ID: "1", Source: "/s", Type: "t", Data: []byte(`{"n":1}`), Headers: keg.Headers{
		"content-type": {"application/json"}, "host": {"shop"}, "ce-id": {"forged"}, "ce_id": {"forged"}, "connection": {"close"}, "x-tenant": {"a", "b"},
	}}
	headers, value, err := ToKafka(e, keg.FormatRaw)
	if err != nil || string(value) != `{"n":1}` {
		t.Fatalf("%s, %v", value, err)
	}
	want := []Header{{"content-type", []byte("application/json")}, {"host", []byte("shop")}, {"x-tenant", []byte("a")}, {"x-tenant", []byte("b")}}
	if diff := cmp.Diff(want, headers); diff != "" {
		t.Error(diff)
	}
	e.Headers = nil
	if headers, _, _ := ToKafka(e, keg.FormatRaw); len(headers) != 0 {
		t.Errorf("raw data without headers has %v", headers)
	}
}
