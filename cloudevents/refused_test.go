package cloudevents

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

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
		"an extension with a dash":             {post("", ce("ce-my-ext", "x")...), &keg.InvalidError{Attribute: "my-ext", Problem: "is no name of an extension: it may have only a-z and 0-9"}},
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
