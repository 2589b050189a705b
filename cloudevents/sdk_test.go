package cloudevents

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/binding/format"
	"github.com/cloudevents/sdk-go/v2/event"
	sdkhttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

// These tests have the official SDK at the other end of the wire.

// toSDK is e as the SDK holds it.
func toSDK(t *testing.T, e *keg.Event) event.Event {
	t.Helper()
	s := event.New()
	s.SetID(e.ID)
	s.SetSource(e.Source)
	s.SetType(e.Type)
	if e.Subject != "" {
		s.SetSubject(e.Subject)
	}
	if !e.Time.IsZero() {
		s.SetTime(e.Time)
	}
	if e.DataSchema != "" {
		s.SetDataSchema(e.DataSchema)
	}
	for name, value := range e.Extensions {
		s.SetExtension(name, value)
	}
	if e.DataContentType != "" {
		s.SetDataContentType(e.DataContentType)
	}
	if e.Data != nil {
		s.DataEncoded = e.Data
		s.DataBase64 = !e.JSONData() && !isText(e.DataContentType)
	}
	if err := s.Validate(); err != nil {
		t.Fatalf("the SDK refuses the test's event: %v", err)
	}
	return s
}

// fromSDK is what the SDK understood.
func fromSDK(t *testing.T, s *event.Event) *keg.Event {
	t.Helper()
	if err := s.Validate(); err != nil {
		t.Fatalf("the SDK refuses what it read: %v", err)
	}
	e := &keg.Event{ID: s.ID(), Source: s.Source(), Type: s.Type(), Subject: s.Subject(), Time: s.Time(),
		DataContentType: s.DataContentType(), DataSchema: s.DataSchema(), Data: s.Data(), Extensions: map[string]string{}}
	for name, value := range s.Extensions() {
		text, err := types.Format(value)
		if err != nil {
			t.Fatal(err)
		}
		e.Extensions[name] = text
	}
	return e
}

// commonEvents are those that the SDK can carry. It does not percent-encode
// header values (HTTP binding, section 3.1.3.2), so there is nothing to encode
// in them; and it takes data of */*+json for text, against section 3.1 of the
// JSON event format, so there is none of these.
func commonEvents() map[string]*keg.Event {
	all := map[string]*keg.Event{
		"bare": {},
		"everything": {Subject: "s-1", Time: received, DataContentType: "application/json", DataSchema: "http://x/y",
			Extensions: map[string]string{"tenant": "acme", "traceparent": ownTrace, "n": "7"}, Data: []byte(`{"a":1}`)},
		"text":        {DataContentType: "text/plain", Data: []byte("a\r\nb €")},
		"XML":         {DataContentType: "application/xml", Data: []byte("<a/>")},
		"bytes":       {DataContentType: "application/octet-stream", Data: []byte{0, 1, 255}},
		"JSON string": {DataContentType: "application/json", Data: []byte(`"a string"`)},
	}
	for _, e := range all {
		e.ID, e.Type, e.Source = "1", "order.created", "/shop"
	}
	return all
}

func TestSDKReadsOurRequests(t *testing.T) {
	for name, e := range commonEvents() {
		for _, format := range []keg.Format{keg.FormatBinary, keg.FormatStructured} {
			var got *event.Event
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				var err error
				if got, err = sdkhttp.NewEventFromHTTPRequest(r); err != nil {
					t.Errorf("%s, %s: the SDK cannot read it: %v", name, format, err)
				}
			}))
			headers, body, err := ToHTTP(e, format)
			if err != nil {
				t.Fatal(err)
			}
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, bytes.NewReader(body))
			r.Header = headers
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			server.Close()
			if got == nil {
				continue
			}
			if diff := cmp.Diff(e, fromSDK(t, got), sameEvent); diff != "" {
				t.Errorf("%s, %s (-sent +read by the SDK):\n%s", name, format, diff)
			}
		}
	}
}

// receive decodes what a client sends to a real listener.
func receive(t *testing.T, send func(url string) error) Batch {
	t.Helper()
	var got Batch
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		h := keg.Headers{}
		for name, values := range r.Header {
			h[strings.ToLower(name)] = values
		}
		if got, err = FromRequest(&Request{Host: r.Host, Path: r.URL.Path, Headers: h, Body: body}, Options{}); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	if err := send(server.URL); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestWeReadTheSDKsRequests(t *testing.T) {
	for name, e := range commonEvents() {
		for mode, choose := range map[string]func(context.Context) context.Context{"binary": binding.WithForceBinary, "structured": binding.WithForceStructured} {
			batch := receive(t, func(url string) error {
				r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
				s := toSDK(t, e)
				if err := sdkhttp.WriteRequest(choose(t.Context()), binding.ToMessage(&s), r); err != nil {
					return err
				}
				response, err := http.DefaultClient.Do(r)
				if err == nil {
					_ = response.Body.Close()
				}
				return err
			})
			if len(batch.Entries) != 1 {
				t.Errorf("%s, %s: %d events", name, mode, len(batch.Entries))
				continue
			}
			if diff := cmp.Diff(e, batch.Entries[0].Event, sameEvent); diff != "" {
				t.Errorf("%s, %s (-sent by the SDK +read):\n%s", name, mode, diff)
			}
		}
	}
}

func TestBatchesOfTheSDK(t *testing.T) {
	var all []event.Event
	var want []*keg.Event
	for _, e := range commonEvents() {
		want = append(want, e)
		all = append(all, toSDK(t, e))
	}
	batch := receive(t, func(url string) error {
		r, err := sdkhttp.NewHTTPRequestFromEvents(t.Context(), url, all)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(r)
		if err == nil {
			_ = response.Body.Close()
		}
		return err
	})
	if !batch.IsBatch || len(batch.Entries) != len(want) {
		t.Fatalf("%d events of %d", len(batch.Entries), len(want))
	}
	for i, entry := range batch.Entries {
		if diff := cmp.Diff(want[i], entry.Event, sameEvent); diff != "" {
			t.Errorf("event %d (-sent by the SDK +read):\n%s", i, diff)
		}
	}

	var back []event.Event
	if err := json.Unmarshal(batchOf(want...), &back); err != nil {
		t.Fatal(err)
	}
	for i := range back {
		if diff := cmp.Diff(want[i], fromSDK(t, &back[i]), sameEvent); diff != "" {
			t.Errorf("event %d (-sent +read by the SDK):\n%s", i, diff)
		}
	}
}

func TestJSONOfTheSDK(t *testing.T) {
	for name, e := range commonEvents() {
		var read event.Event
		if err := format.JSON.Unmarshal(AppendJSON(nil, e), &read); err != nil {
			t.Errorf("%s: the SDK cannot read it: %v", name, err)
			continue
		}
		if diff := cmp.Diff(e, fromSDK(t, &read), sameEvent); diff != "" {
			t.Errorf("%s (-sent +read by the SDK):\n%s", name, diff)
		}
		s := toSDK(t, e)
		text, err := format.JSON.Marshal(&s)
		if err != nil {
			t.Fatal(err)
		}
		got, err := FromJSON(text)
		if err != nil {
			t.Errorf("%s: %s: %v", name, text, err)
			continue
		}
		if diff := cmp.Diff(e, got, sameEvent); diff != "" {
			t.Errorf("%s (-sent by the SDK +read):\n%s", name, diff)
		}
	}
}

func TestTypedExtensionsOfTheSDK(t *testing.T) {
	s := toSDK(t, &keg.Event{ID: "1", Type: "t", Source: "/s"})
	for name, value := range map[string]any{"flag": true, "number": int32(-7), "text": "x", "bytes": []byte{0, 255}, "uri": types.ParseURI("http://x/y"), "at": received} {
		s.SetExtension(name, value)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := FromJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"flag": "true", "number": "-7", "text": "x", "bytes": "AP8=", "uri": "http://x/y", "at": "2026-01-31T12:00:00Z"}
	if diff := cmp.Diff(want, got.Extensions); diff != "" {
		t.Errorf("extensions (-canonical +got):\n%s", diff)
	}
}
