package cloudevents

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

// refused fails the test for an error that does not tell the sender what to do.
func refused(t *testing.T, err error) {
	t.Helper()
	var invalid *keg.InvalidError
	var tooLarge *keg.TooLargeError
	var unsupported *keg.UnsupportedError
	if !errors.As(err, &invalid) && !errors.As(err, &tooLarge) && !errors.As(err, &unsupported) {
		t.Fatalf("%T: %v", err, err)
	}
	if strings.ContainsAny(strings.ReplaceAll(err.Error(), "\n", ""), "\r\x00") {
		t.Fatalf("the message has control characters: %q", err)
	}
}

// travels fails the test unless e is legal, can be written on every wire, and is
// the same when it is read there.
func travels(t *testing.T, e *keg.Event) {
	t.Helper()
	if err := e.Validate(); err != nil {
		t.Fatalf("what was read is no event: %v", err)
	}
	same := func(wire string, got *keg.Event, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: cannot be read again: %v", wire, err)
		}
		if diff := cmp.Diff(e, got, sameEvent); diff != "" {
			t.Fatalf("%s (-sent +read):\n%s", wire, diff)
		}
	}
	own := e.Headers
	e.Headers = nil
	got, err := FromJSON(AppendJSON(nil, e))
	same("JSON", got, err)
	for _, format := range []keg.Format{keg.FormatBinary, keg.FormatStructured} {
		headers, value, err := ToKafka(e, format)
		if err != nil {
			t.Fatal(err)
		}
		got, err := FromKafka(&Record{Headers: headers, Value: value})
		same("Kafka "+string(format), got, err)
	}
	e.Headers = own
	for _, format := range []keg.Format{keg.FormatBinary, keg.FormatStructured, keg.FormatRaw} {
		headers, _, err := ToHTTP(e, format)
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range headers {
			for _, value := range values {
				if !isToken(name) || !isFieldText(value) || format != keg.FormatBinary && strings.HasPrefix(name, "Ce-") {
					t.Fatalf("%s: the header %q: %q", format, name, value)
				}
			}
		}
	}
}

func FuzzFromRequest(f *testing.F) {
	seed := func(contentType, body string, headers ...string) {
		f.Add(contentType, strings.Join(headers, "\n"), []byte(body))
	}
	seed("application/json", `{"event_type":"order.created","event_id":7}`, "x-event-subject: 7", "connection: x-a, close", "x-a: 1")
	seed("application/json", `{"event\u005ftype":"a\u0000b"}`, "idempotency-key: \xff")
	seed("application/json", `[[[[`)
	seed("text/plain", "hi", "ce-specversion: 1.0", "ce-id: 1", "ce-type: t", "ce-source: /s", "ce-x: %C3%A9", "ce-time: 2026-01-31T12:00:00.5+02:00")
	seed("", "", "ce-specversion: 1.0", "ce-id: %", "ce-type: \"t\"", "ce-source: ?", "traceparent: "+otherTrace, "tracestate: a=1")
	seed("application/cloudevents+json", doc(`"data":{"a":[1,"x"]},"ext":true`))
	seed("application/cloudevents+json; charset=utf-8", doc(`"datacontenttype":"text/plain","data":"a\nb","subject":"\u20ac"`))
	seed("application/cloudevents+json", doc(`"data_base64":"AP8=","time":"2026-01-31T24:00:00Z"`))
	seed("application/cloudevents-batch+json", "["+doc(``)+`,{"id":1},null]`)
	seed("application/cloudevents+xml", "<e/>")
	seed("application/json", string(gzipped(f, []byte(`{"event_type":"x"}`))), "content-encoding: gzip")
	seed("Application/CloudEvents", "null", "connection: host")
	f.Fuzz(func(t *testing.T, contentType, headers string, body []byte) {
		r := &Request{Host: "h", Path: "/p", Headers: keg.Headers{}, Body: body, Received: received}
		if contentType != "" {
			r.Headers.Add("content-type", contentType)
		}
		for line := range strings.SplitSeq(headers, "\n") {
			name, value, _ := strings.Cut(line, ":")
			r.Headers.Add(name, strings.TrimSpace(value))
		}
		before := bytes.Clone(body)
		batch, err := FromRequest(r, Options{MaxBytes: 1 << 16, MaxBatch: 10})
		if err != nil {
			refused(t, err)
			return
		}
		for _, entry := range batch.Entries {
			if entry.Err != nil {
				refused(t, entry.Err)
				continue
			}
			travels(t, entry.Event)
		}
		if !bytes.Equal(before, body) {
			t.Fatal("the body was written to")
		}
	})
}

func FuzzFromJSON(f *testing.F) {
	for _, members := range []string{``, `"data":1`, `"data":" \ud83d\ude00 "`, `"data_base64":"AP8="`, `"datacontenttype":"text/xml","data":"<a>"`,
		`"ext":-2147483648,"b":null`, `"time":"0000-01-01T00:00:00Z"`, `"dataschema":"urn:x","subject":""`, `"data":{"a":{"a":[[[]]]}}`, `"traceparent":"x"`} {
		f.Add([]byte(doc(members)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := FromJSON(text)
		if err != nil {
			refused(t, err)
			return
		}
		travels(t, e)
	})
}

func FuzzFromKafka(f *testing.F) {
	f.Add("ce_specversion: 1.0\nce_id: 1\nce_type: t\nce_source: /s\ncontent-type: text/plain", []byte("k"), []byte("v"), int64(0))
	f.Add("ce-specversion: 1.0\nCE_ID: 1\nce_type: t\nce_source: /s\nce_a: €", []byte(nil), []byte(nil), int64(1769860800000))
	f.Add("content-type: application/cloudevents+json", []byte{0xff}, []byte(doc(`"data":[1]`)), int64(-1))
	f.Add("traceparent: "+otherTrace+"\nx: \x00", []byte("\n"), []byte("{}"), int64(1)<<62)
	f.Fuzz(func(t *testing.T, headers string, key, value []byte, at int64) {
		r := record(value)
		r.Key, r.Time = key, received.AddDate(0, 0, int(at%5000000))
		for line := range strings.SplitSeq(headers, "\n") {
			name, value, _ := strings.Cut(line, ":")
			r.Headers = append(r.Headers, Header{name, []byte(strings.TrimSpace(value))})
		}
		e, err := FromKafka(r)
		if err != nil {
			refused(t, err)
			mode, unread := modeOf(recordHeaders(r.Headers).Get("content-type"))
			if unread == nil && mode == unstructured && !claimsEvent(r.Headers) {
				t.Fatalf("a record that claims nothing was refused: %v", err)
			}
			return
		}
		travels(t, e)
	})
}

func FuzzFromMQTT(f *testing.F) {
	f.Add("sensors/1", []byte(doc(`"data":21.5`)))
	f.Add("a b/ü\x00//", []byte("21.5"))
	f.Add("", []byte(`{"specversion":"1.0"}`))
	f.Fuzz(func(t *testing.T, topic string, payload []byte) {
		e, err := FromMQTT(Message{Broker: "h:1883", Topic: topic, Payload: payload})
		if err != nil {
			t.Fatalf("a message that anybody may send was refused: %v", err)
		}
		travels(t, e)
	})
}
