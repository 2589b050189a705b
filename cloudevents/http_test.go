package cloudevents

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

func TestEventsBecomeRequests(t *testing.T) {
	e := &keg.Event{ID: "1", Type: "t", Source: "/s", Subject: `Euro € "x"`, Time: received, DataContentType: "text/plain", DataSchema: "urn:x",
		Extensions: map[string]string{"b": "2", "a": "1"}, Data: []byte("hi"),
		Headers: keg.Headers{
			"x-tenant": {"acme", "beta"}, "content-type": {"text/html"}, "content-encoding": {"gzip"}, "host": {"h"}, "ce-id": {"forged"}, "connection": {"x"},
			"content-length": {"7"}, "transfer-encoding": {"chunked"}, "x-feed": {"a\nb"}, "keg-dlq-last-time": {"now\nthen"}, "a name": {"x"}, "expect": {"100-continue"},
		}}
	with := func(pairs ...string) http.Header {
		h := http.Header{"X-Tenant": {"acme", "beta"}, "Keg-Dlq-Last-Time": {"now then"}}
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	tests := map[keg.Format]struct {
		headers http.Header
		body    string
	}{
		keg.FormatBinary: {with("Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Source", "/s", "Ce-Type", "t", "Ce-Subject", "Euro%20%E2%82%AC%20%22x%22",
			"Ce-Time", "2026-01-31T12:00:00Z", "Ce-Dataschema", "urn:x", "Ce-A", "1", "Ce-B", "2", "Content-Type", "text/plain"), "hi"},
		keg.FormatStructured: {with("Content-Type", "application/cloudevents+json; charset=utf-8"), string(AppendJSON(nil, e))},
		keg.FormatRaw:        {with("Content-Type", "text/plain"), "hi"},
	}
	for format, want := range tests {
		headers, body, err := ToHTTP(e, format)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.headers, headers); diff != "" {
			t.Errorf("%s: headers (-want +got):\n%s", format, diff)
		}
		if string(body) != want.body {
			t.Errorf("%s: body %q", format, body)
		}
	}
	if _, _, err := ToHTTP(e, "avro"); !keg.IsPermanent(err) {
		t.Errorf("an unknown format: %v", err)
	}
}

// sent is the request that a receiver sees when headers and body are sent.
func sent(t testing.TB, headers http.Header, body []byte) *Request {
	t.Helper()
	h := keg.Headers{}
	for name, values := range headers {
		for _, value := range values {
			h.Add(strings.ToLower(name), value)
		}
	}
	return &Request{Method: "POST", Host: "h", Path: "/", Headers: h, Body: bytes.Clone(body)}
}

func TestRequestsComeBackAsTheyWere(t *testing.T) {
	for name, e := range events() {
		for _, format := range []keg.Format{keg.FormatBinary, keg.FormatStructured} {
			headers, body, err := ToHTTP(e, format)
			if err != nil {
				t.Fatal(err)
			}
			batch, err := FromRequest(sent(t, headers, body), Options{})
			if err != nil {
				t.Fatalf("%s, %s: %v", name, format, err)
			}
			want := *e
			if format == keg.FormatBinary && len(e.Data) == 0 {
				want.Data = nil // HTTP does not tell an empty body from none
			}
			if diff := cmp.Diff(&want, batch.Entries[0].Event, sameEvent); diff != "" {
				t.Errorf("%s, %s (-sent +got):\n%s", name, format, diff)
			}
		}
	}
}

func TestJSONWithoutATypeIsLabelledForReceivers(t *testing.T) {
	e := &keg.Event{ID: "1", Type: "t", Source: "/s", Data: []byte(`{"a":1}`)}
	for _, format := range []keg.Format{keg.FormatBinary, keg.FormatRaw} {
		if headers, _, _ := ToHTTP(e, format); headers.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %v", format, headers)
		}
	}
	e.Data = []byte("no JSON")
	if headers, _, _ := ToHTTP(e, keg.FormatBinary); headers.Get("Content-Type") != "" {
		t.Errorf("data that is no JSON is labelled %v", headers)
	}
}
