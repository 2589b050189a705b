package cloudevents

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

func TestHeadersForOneHopDoNotTravel(t *testing.T) {
	r := post("", "connection", "Keep-Alive, X-Secret-Hop", "connection", "close", "keep-alive", "timeout=5", "x-secret-hop", "1",
		"proxy-authorization", "Basic x", "proxy-connection", "keep-alive", "te", "trailers", "trailer", "x", "transfer-encoding", "chunked",
		"upgrade", "h2c", "http2-settings", "AAM", "x-tenant", "acme", "x-tenant", "beta", "authorization", "Bearer x")
	got := one(t, r, Options{}).Headers
	want := keg.Headers{"x-tenant": {"acme", "beta"}, "authorization": {"Bearer x"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func TestConnectionMustNotNameWhatDescribesTheMessage(t *testing.T) {
	for _, value := range []string{"content-length", "close, Content-Length", "Transfer-Encoding", "HOST", "content-type", "content-encoding", "a,,host , b"} {
		for _, r := range []*Request{post("x", "connection", value), post("x", ce("connection", value)...)} {
			_, err := FromRequest(r, Options{})
			var invalid *keg.InvalidError
			if !errors.As(err, &invalid) || invalid.Attribute != "connection" {
				t.Errorf("connection: %s: got %v", value, err)
			}
		}
	}
}

func TestIllegalHeadersAreGivenUpAndTheEventIsNot(t *testing.T) {
	r := post("x", "x-bytes", "caf\xe9", "x-mixed", "good", "x-mixed", "b\xffd", "x-feed", "a\r\nSet-Cookie: x=1", "x-nul", "a\x00b",
		"x-tab", "a\tb", "x-utf8", "café", "bad name", "x", "idempotency-key", "\xff")
	e := one(t, r, Options{})
	want := keg.Headers{"x-mixed": {"good"}, "x-tab": {"a\tb"}, "x-utf8": {"café"}}
	if diff := cmp.Diff(want, e.Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if e.ID != "kong-1" {
		t.Errorf("an Idempotency-Key that cannot be an id became %q", e.ID)
	}
}

func TestHeaderSectionsWithoutEndAreRefused(t *testing.T) {
	many := post("")
	for i := range maxHeaderFields + 1 {
		many.Headers.Add(fmt.Sprintf("x-%d", i), "v")
	}
	repeated := post("")
	for range maxHeaderFields + 1 {
		repeated.Headers.Add("x-same", "v")
	}
	for name, r := range map[string]*Request{
		"many names": many, "one name many times": repeated, "one long value": post("", "x", strings.Repeat("v", maxHeaderBytes)),
	} {
		var tooLarge *keg.TooLargeError
		if _, err := FromRequest(r, Options{}); !errors.As(err, &tooLarge) || tooLarge.What != "header section" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

const (
	ownTrace   = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	otherTrace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
)

func TestTraces(t *testing.T) {
	tests := map[string]struct {
		headers []string
		want    map[string]string
	}{
		"an event without one takes the request's": {
			ce("traceparent", otherTrace, "tracestate", "a=1", "tracestate", "b=2"),
			map[string]string{"traceparent": otherTrace, "tracestate": "a=1,b=2"},
		},
		"an event with one keeps it, and takes nothing of another": {
			ce("ce-traceparent", ownTrace, "traceparent", otherTrace, "tracestate", "a=1"),
			map[string]string{"traceparent": ownTrace},
		},
		"a plain request's is its event's": {
			[]string{"traceparent", otherTrace}, map[string]string{"traceparent": otherTrace},
		},
		"a later version may be longer":   {ce("traceparent", "01"+otherTrace[2:]+"-x"), map[string]string{"traceparent": "01" + otherTrace[2:] + "-x"}},
		"tracestate alone means nothing":  {ce("tracestate", "a=1"), nil},
		"two traceparents mean nothing":   {ce("traceparent", otherTrace, "traceparent", ownTrace), nil},
		"this version may not be longer":  {ce("traceparent", otherTrace+"-x"), nil},
		"a version that is none":          {ce("traceparent", "ff"+otherTrace[2:]), nil},
		"a void trace id":                 {ce("traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"), nil},
		"a void parent id":                {ce("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"), nil},
		"upper case":                      {ce("traceparent", strings.ToUpper(otherTrace)), nil},
		"no trace at all":                 {ce("traceparent", "hello"), nil},
		"a tracestate that is not UTF-8":  {ce("traceparent", otherTrace, "tracestate", "\xff"), map[string]string{"traceparent": otherTrace}},
		"a trace for one hop is not ours": {ce("traceparent", otherTrace, "connection", "traceparent"), nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, one(t, post("", test.headers...), Options{}).Extensions); diff != "" {
				t.Errorf("extensions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryEventOfABatchTakesTheTrace(t *testing.T) {
	batch, err := FromRequest(post(`[{"specversion":"1.0","id":"a","type":"t","source":"/s"},{"specversion":"1.0","id":"b","type":"t","source":"/s","traceparent":"`+ownTrace+`"}]`,
		"content-type", "application/cloudevents-batch+json", "traceparent", otherTrace), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{otherTrace, ownTrace} {
		if got := batch.Entries[i].Event.Extensions["traceparent"]; got != want {
			t.Errorf("event %d: %s", i, got)
		}
	}
}
