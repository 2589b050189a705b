package cloudevents

import (
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

func TestRequestWithoutAnyIDGetsAUUIDv7(t *testing.T) {
	r := post("")
	r.ID = ""
	id, err := uuid.Parse(one(t, r, Options{}).ID)
	if err != nil || id.Version() != 7 {
		t.Errorf("id %v, version %d: %v", id, id.Version(), err)
	}
}
