package cloudevents

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/kong/keg"
)

var received = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// post is a request to http://shop.example/orders/7 with these headers.
func post(body string, headers ...string) *Request {
	h := keg.Headers{}
	for i := 0; i < len(headers); i += 2 {
		h.Add(headers[i], headers[i+1])
	}
	return &Request{Method: "POST", Scheme: "http", Host: "shop.example", Path: "/orders/7",
		Headers: h, Body: []byte(body), ID: "kong-1", Received: received}
}

// one is the event of a request that must be good.
func one(t *testing.T, r *Request, o Options) *keg.Event {
	t.Helper()
	batch, err := FromRequest(r, o)
	if err != nil {
		t.Fatalf("FromRequest: %v", err)
	}
	if batch.IsBatch || len(batch.Entries) != 1 || batch.Entries[0].Err != nil {
		t.Fatalf("not one good event: %+v", batch)
	}
	return batch.Entries[0].Event
}

// bare is e without its headers, for comparing what CloudEvents knows of it.
func bare(e *keg.Event) *keg.Event {
	c := *e
	c.Headers = nil
	return &c
}

func ce(extra ...string) []string {
	return append([]string{"ce-specversion", "1.0", "ce-id", "1", "ce-type", "t", "ce-source", "/s"}, extra...)
}

func TestRequestsBecomeEvents(t *testing.T) {
	plain := func(change func(*keg.Event)) *keg.Event {
		e := &keg.Event{ID: "kong-1", Type: "http.request", Source: "//shop.example/orders/7", Time: received}
		change(e)
		return e
	}
	tests := map[string]struct {
		request *Request
		options Options
		want    *keg.Event
	}{
		"binary: attributes in headers, the body is the data": {
			request: post("hi", ce("content-type", "text/plain", "ce-subject", "s", "ce-time", "2026-01-31T12:00:00Z",
				"ce-dataschema", "http://x/y", "ce-tenant", "acme")...),
			want: &keg.Event{ID: "1", Type: "t", Source: "/s", Subject: "s", Time: received, DataSchema: "http://x/y",
				DataContentType: "text/plain", Extensions: map[string]string{"tenant": "acme"}, Data: []byte("hi")},
		},
		"binary without a body has no data": {
			request: post("", ce()...),
			want:    &keg.Event{ID: "1", Type: "t", Source: "/s"},
		},
		"binary: broken JSON is the sender's data, and left alone": {
			request: post("{", ce("content-type", "application/json")...),
			want:    &keg.Event{ID: "1", Type: "t", Source: "/s", DataContentType: "application/json", Data: []byte("{")},
		},
		"binary values are percent-decoded once, after quotes are undone": {
			request: post("", ce("ce-subject", `"%E2%82%AC%2520 \"x\""`)...),
			want:    &keg.Event{ID: "1", Type: "t", Source: "/s", Subject: `€%20 "x"`},
		},
		"structured, its media type in any case and with a charset": {
			request: post(`{"specversion":"1.0","id":"1","type":"t","source":"/s","data":{"a":1}}`,
				"content-type", `Application/CloudEvents+JSON; charset="UTF-8"`),
			want: &keg.Event{ID: "1", Type: "t", Source: "/s", Data: []byte(`{"a":1}`)},
		},
		"structured wins over ce- headers": {
			request: post(`{"specversion":"1.0","id":"2","type":"u","source":"/v"}`,
				ce("content-type", "application/cloudevents+json")...),
			want: &keg.Event{ID: "2", Type: "u", Source: "/v"},
		},
		"plain: host and path, Kong's request id, the time of arrival": {
			request: post(""),
			want:    plain(func(*keg.Event) {}),
		},
		"plain: the settings before the defaults": {
			request: post("x", "content-type", "text/plain"),
			options: Options{Type: "set.type", Source: "set-source"},
			want: plain(func(e *keg.Event) {
				e.Type, e.Source, e.DataContentType, e.Data = "set.type", "set-source", "text/plain", []byte("x")
			}),
		},
		"plain: members of the body before the settings": {
			request: post(`{"event_type":"order.created","event_source":"shop","event_id":"o-1"}`, "content-type", "application/json"),
			options: Options{Type: "set.type", Source: "set-source"},
			want: plain(func(e *keg.Event) {
				e.ID, e.Type, e.Source, e.DataContentType = "o-1", "order.created", "shop", "application/json"
				e.Data = []byte(`{"event_type":"order.created","event_source":"shop","event_id":"o-1"}`)
			}),
		},
		"plain: headers before members of the body": {
			request: post(`{"event_type":"a","event_source":"b","event_id":"c"}`, "content-type", "application/json",
				"x-event-type", "order.paid", "x-event-source", "till", "x-event-id", "p-1",
				"x-event-subject", "7", "x-event-time", "2025-01-01T00:00:00+02:00"),
			want: plain(func(e *keg.Event) {
				e.ID, e.Type, e.Source, e.Subject, e.DataContentType = "p-1", "order.paid", "till", "7", "application/json"
				e.Time = time.Date(2024, 12, 31, 22, 0, 0, 0, time.UTC)
				e.Data = []byte(`{"event_type":"a","event_source":"b","event_id":"c"}`)
			}),
		},
		"plain: Idempotency-Key before Kong's request id": {
			request: post("", "idempotency-key", "i-1"),
			want:    plain(func(e *keg.Event) { e.ID = "i-1" }),
		},
		"plain: Idempotency-Key as a quoted string": {
			request: post("", "idempotency-key", `"i\"1"`),
			want:    plain(func(e *keg.Event) { e.ID = `i"1` }),
		},
		"plain: a number is an id as it is written": {
			request: post(`{"event_id":17}`, "content-type", "application/json"),
			want: plain(func(e *keg.Event) {
				e.ID, e.DataContentType, e.Data = "17", "application/json", []byte(`{"event_id":17}`)
			}),
		},
		"plain: members further down, and of other kinds, say nothing": {
			request: post(`{"a":{"event_type":"x"},"event_type":{"n":1},"event_source":null,"event_id":""}`, "content-type", "application/json"),
			want: plain(func(e *keg.Event) {
				e.DataContentType = "application/json"
				e.Data = []byte(`{"a":{"event_type":"x"},"event_type":{"n":1},"event_source":null,"event_id":""}`)
			}),
		},
		"plain: escaped names and values are understood": {
			request: post(`{"event\u005ftype":"order\u002ecreated"}`, "content-type", "application/vnd.x+json"),
			want: plain(func(e *keg.Event) {
				e.Type, e.DataContentType = "order.created", "application/vnd.x+json"
				e.Data = []byte(`{"event\u005ftype":"order\u002ecreated"}`)
			}),
		},
		"plain: a body that is not labelled JSON is not looked into": {
			request: post(`{"event_type":"x"`, "content-type", "text/plain"),
			want: plain(func(e *keg.Event) {
				e.DataContentType, e.Data = "text/plain", []byte(`{"event_type":"x"`)
			}),
		},
		"plain: a body without a label is JSON where it can be": {
			request: post(`{"event_type":"order.created","event_id":"o-1"}`),
			want: plain(func(e *keg.Event) {
				e.ID, e.Type, e.Data = "o-1", "order.created", []byte(`{"event_type":"order.created","event_id":"o-1"}`)
			}),
		},
		"plain: a body without a label need not be JSON": {
			request: post(`{"event_type":"order.created"`),
			want:    plain(func(e *keg.Event) { e.Data = []byte(`{"event_type":"order.created"`) }),
		},
		"plain: a JSON array is data like any other": {
			request: post(` [1, 2] `, "content-type", "application/json"),
			want: plain(func(e *keg.Event) {
				e.DataContentType, e.Data = "application/json", []byte(` [1, 2] `)
			}),
		},
		"plain: a path with what no URI may hold": {
			request: &Request{Host: "h:80", Path: "/a b\"ü?#%20%zz%", ID: "1", Received: received, Headers: keg.Headers{}},
			want:    &keg.Event{ID: "1", Type: "http.request", Source: "//h:80/a%20b%22%C3%BC%3F%23%20%25zz%25", Time: received},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := one(t, test.request, test.options)
			if diff := cmp.Diff(test.want, bare(got)); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRequestsAreRefused(t *testing.T) {
	big := strings.Repeat("x", 1025)
	deep := strings.Repeat("[", 65) + strings.Repeat("]", 65)
	structured := func(body string) *Request { return post(body, "content-type", "application/cloudevents+json") }
	tests := map[string]struct {
		request *Request
		want    error
	}{
		"a CloudEvent without id":              {post("", "ce-specversion", "1.0", "ce-type", "t", "ce-source", "/s"), &keg.InvalidError{Attribute: "ce-id", Problem: "is required and is missing"}},
		"a CloudEvent without specversion":     {post("", "ce-id", "1", "ce-type", "t", "ce-source", "/s"), &keg.InvalidError{Attribute: "ce-specversion", Problem: "is required and is missing"}},
		"another version":                      {post("", append(ce()[2:], "ce-specversion", "0.3")...), &keg.InvalidError{Attribute: "specversion", Problem: `must be "1.0", the one version that KEG reads`}},
		"an empty id":                          {post("", "ce-specversion", "1.0", "ce-id", "", "ce-type", "t", "ce-source", "/s"), &keg.InvalidError{Attribute: "id", Problem: "is required and must not be empty"}},
		"ce-datacontenttype":                   {post("", ce("ce-datacontenttype", "text/plain")...), &keg.InvalidError{Attribute: "ce-datacontenttype", Problem: "must not be sent; Content-Type says it"}},
		"an attribute twice":                   {post("", ce("ce-subject", "a", "ce-subject", "b")...), &keg.InvalidError{Attribute: "ce-subject", Problem: "was sent more than once"}},
		"an attribute that is not UTF-8":       {post("", ce("ce-subject", "\xff")...), &keg.InvalidError{Attribute: "ce-subject", Problem: "is not UTF-8"}},
		"a percent-encoding that is not UTF-8": {post("", ce("ce-subject", "%C3%28")...), &keg.InvalidError{Attribute: "ce-subject", Problem: "is not UTF-8"}},
		"a line feed smuggled in":              {post("", ce("ce-subject", "a%0Ab")...), &keg.InvalidError{Attribute: "subject", Problem: "has the control character U+000A at byte 1"}},
		"a time that is none":                  {post("", ce("ce-time", "yesterday")...), &keg.InvalidError{Attribute: "time", Problem: "must be a time of RFC 3339, such as 2026-01-31T12:00:00Z"}},
		"an extension with a dash":             {post("", ce("ce-my-ext", "x")...), &keg.InvalidError{Attribute: "my-ext", Problem: "an extension's name has only a-z and 0-9"}},
		"X-Event-Time that is none":            {post("", "x-event-time", "now"), &keg.InvalidError{Attribute: "x-event-time", Problem: "must be a time of RFC 3339, such as 2026-01-31T12:00:00Z"}},
		"X-Event-Type that is not UTF-8":       {post("", "x-event-type", "\xff"), &keg.InvalidError{Attribute: "type", Problem: "is not UTF-8 at byte 0"}},
		"a host that is none":                  {&Request{Host: "[", Path: "/", Headers: keg.Headers{}}, &keg.InvalidError{Attribute: "source", Problem: "is no URI reference: missing ']' in host"}},
		"two content types":                    {post("", "content-type", "text/plain", "content-type", "application/cloudevents+json"), &keg.InvalidError{Attribute: "content-type", Problem: "was sent more than once"}},
		"broken JSON, structured":              {structured(`{"specversion":"1.0",,}`), &keg.InvalidError{Problem: `broken JSON at byte 21: invalid character ',' at start of value`}},
		"broken JSON, plain":                   {post(`{"a":1 "b"}`, "content-type", "application/json"), &keg.InvalidError{Problem: `broken JSON at byte 7: invalid character '"' after object value (expecting ',' or '}')`}},
		"JSON that ends too early":             {post(`{"a":[1`, "content-type", "application/json"), &keg.InvalidError{Problem: `broken JSON at byte 7: it ends too early`}},
		"white space in place of JSON":         {post(`  `, "content-type", "application/json"), &keg.InvalidError{Problem: `broken JSON at byte 2: it ends too early`}},
		"something after the JSON":             {post(`{} {}`, "content-type", "application/json"), &keg.InvalidError{Problem: `broken JSON at byte 2: something follows the first value`}},
		"JSON that is not UTF-8":               {post("{\"a\":\"\xff\"}", "content-type", "application/json"), &keg.InvalidError{Problem: `broken JSON at byte 6: invalid UTF-8`}},
		"event_type twice":                     {post(`{"event_type":"a","event_type":"b"}`, "content-type", "application/json"), &keg.InvalidError{Attribute: "event_type", Problem: "is there twice"}},
		"JSON that is too deep, plain":         {post(deep, "content-type", "application/json"), errTooDeep},
		"data that is too deep, structured":    {structured(`{"specversion":"1.0","id":"1","type":"t","source":"s","data":` + deep + `}`), errTooDeep},
		"a structured event without a body":    {structured(``), &keg.InvalidError{Problem: `broken JSON at byte 0: it ends too early`}},
		"a structured event that is an array":  {structured(`[]`), &keg.InvalidError{Problem: "the event is no JSON object"}},
		"a body over the limit":                {post(big), &keg.TooLargeError{What: "body", Limit: 1024, Unit: "bytes"}},
		"an event over the limit with its attributes": {post(big[:1000], ce("ce-subject", big[:100])...),
			&keg.TooLargeError{What: "event", Limit: 1024, Unit: "bytes"}},
		"CloudEvents in XML":        {post("<e/>", "content-type", "application/cloudevents+xml"), &keg.UnsupportedError{Problem: "the media type is a CloudEvents format that KEG cannot read; send application/cloudevents+json or application/cloudevents-batch+json"}},
		"JSON in UTF-16":            {post("{}", "content-type", "application/cloudevents+json; charset=utf-16"), &keg.UnsupportedError{Problem: "JSON events must be UTF-8; send charset=utf-8 or none"}},
		"an encoding nobody reads":  {post("x", "content-encoding", "br"), &keg.UnsupportedError{Problem: "the content encoding is one that KEG cannot read; send gzip or none"}},
		"gzip that is none":         {post("x", "content-encoding", "gzip"), &keg.InvalidError{Problem: "the body is no whole gzip stream, which Content-Encoding says it is"}},
		"a batch that is no array":  {post(`{}`, "content-type", "application/cloudevents-batch+json"), &keg.InvalidError{Problem: "the batch is no JSON array"}},
		"a batch with broken JSON":  {post(`[{},{`, "content-type", "application/cloudevents-batch+json"), &keg.InvalidError{Problem: "broken JSON at byte 5: it ends too early"}},
		"a batch of too many":       {post(`[{},{},{}]`, "content-type", "application/cloudevents-batch+json"), &keg.TooLargeError{What: "batch", Limit: 2, Unit: "events"}},
		"a batch of another format": {post(`[]`, "content-type", "application/cloudevents-batch+avro"), &keg.UnsupportedError{Problem: "the media type is a CloudEvents format that KEG cannot read; send application/cloudevents+json or application/cloudevents-batch+json"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			batch, err := FromRequest(test.request, Options{MaxBytes: 1024, MaxBatch: 2})
			if len(batch.Entries) != 0 {
				t.Fatalf("entries beside an error: %+v", batch.Entries)
			}
			for joined, ok := err.(interface{ Unwrap() []error }); ok; joined, ok = err.(interface{ Unwrap() []error }) {
				err = joined.Unwrap()[0]
			}
			if diff := cmp.Diff(test.want, err); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRequestWithoutAnyIDGetsAUUIDv7(t *testing.T) {
	r := post("")
	r.ID = ""
	id, err := uuid.Parse(one(t, r, Options{}).ID)
	if err != nil || id.Version() != 7 {
		t.Errorf("id %v, version %d: %v", id, id.Version(), err)
	}
}

func TestEventWithTooManyExtensionsIsRefused(t *testing.T) {
	r := post("", ce()...)
	for i := range maxExtensions + 1 {
		r.Headers.Add(fmt.Sprintf("ce-x%d", i), "v")
	}
	_, err := FromRequest(r, Options{})
	var tooLarge *keg.TooLargeError
	if !errors.As(err, &tooLarge) {
		t.Errorf("got %v", err)
	}
}

func TestExtensionNameWithoutEndDoesNotReachTheMessage(t *testing.T) {
	_, err := FromRequest(post("", ce("ce-"+strings.Repeat("n", 5000), "v")...), Options{})
	if err == nil || len(err.Error()) > 200 {
		t.Errorf("error of %d bytes", len(fmt.Sprint(err)))
	}
}

func TestOfSeveralFaultsTheSameIsToldEachTime(t *testing.T) {
	for range 50 {
		_, err := FromRequest(post("", ce("ce-time", "x", "ce-a", "\xff", "ce-subject", "\xff", "ce-datacontenttype", "x")...), Options{})
		if err == nil || err.Error() != `"ce-a" is not UTF-8` {
			t.Fatal(err)
		}
	}
}

func TestBatchEntriesFailAlone(t *testing.T) {
	body := `[{"specversion":"1.0","id":"a","type":"t","source":"/s"},
		{"id":"b"}, 7, {"specversion":"1.0","id":"c","type":"","source":"/s"}, {"specversion":"1.0","id":"d","type":"t","source":"/s","data":[1]}]`
	batch, err := FromRequest(post(body, "content-type", "application/cloudevents-batch+json", "x-tenant", "acme"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !batch.IsBatch {
		t.Error("not told to be a batch")
	}
	var got []string
	for _, entry := range batch.Entries {
		got = append(got, fmt.Sprintf("%s %t %v", entry.ID, entry.Event != nil, entry.Err))
		if entry.Event != nil && entry.Event.Headers.Get("X-Tenant") != "acme" {
			t.Errorf("%s has lost the request's headers", entry.ID)
		}
	}
	want := []string{
		"a true <nil>",
		`b false "specversion" is required and is missing`,
		" false the event is no JSON object",
		`c false "type" is required and must not be empty`,
		"d true <nil>",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestEmptyBatchIsABatch(t *testing.T) {
	batch, err := FromRequest(post(`[]`, "content-type", "application/cloudevents-batch+json"), Options{})
	if err != nil || !batch.IsBatch || len(batch.Entries) != 0 {
		t.Errorf("%+v, %v", batch, err)
	}
}

func TestPublishGivesOneReceiptForEachEntryInOrder(t *testing.T) {
	bad := errors.New("bad")
	batch := Batch{IsBatch: true, Entries: []Entry{
		{ID: "a", Event: &keg.Event{ID: "a"}}, {ID: "b", Err: bad}, {ID: "c", Event: &keg.Event{ID: "c"}},
	}}
	handle := func(n int) keg.Handler {
		return func(_ context.Context, events ...*keg.Event) keg.Receipts {
			var receipts keg.Receipts
			for _, e := range events[:min(n, len(events))] {
				receipts = append(receipts, keg.Receipt{ID: e.ID})
			}
			return receipts
		}
	}
	story := func(receipts keg.Receipts) string {
		var s []string
		for _, r := range receipts {
			s = append(s, fmt.Sprintf("%s:%v", r.ID, r.Err))
		}
		return strings.Join(s, " ")
	}
	if got := story(batch.Publish(t.Context(), handle(9))); got != "a:<nil> b:bad c:<nil>" {
		t.Error(got)
	}
	if got := story(batch.Publish(t.Context(), handle(1))); got != "a:<nil> b:bad c:"+errNoReceipt.Error() {
		t.Error("a receipt that never came counts as a yes:", got)
	}
	if got := story(Batch{Entries: batch.Entries[:1]}.Publish(t.Context(), handle(0))); got != "a:"+errNoReceipt.Error() {
		t.Error("a receipt that never came counts as a yes:", got)
	}
	none := Batch{Entries: batch.Entries[1:2]}
	if got := story(none.Publish(t.Context(), func(context.Context, ...*keg.Event) keg.Receipts { panic("called with nothing") })); got != "b:bad" {
		t.Error(got)
	}
}
