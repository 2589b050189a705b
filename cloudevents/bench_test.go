package cloudevents

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/kong/keg"
)

// plainBody is a JSON body of about 1 KB, as a shop would send it.
func plainBody() []byte {
	var b strings.Builder
	b.WriteString(`{"event_type":"order.created","event_source":"shop","event_id":"o-4711","order":{"id":4711,"items":[`)
	for i := range 12 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"sku":"A-%04d","name":"a thing of no use","count":%d,"price":12.5}`, i, i+1)
	}
	b.WriteString(`],"total":129.9,"currency":"EUR"}}`)
	return []byte(b.String())
}

func plainHeaders() keg.Headers {
	return keg.Headers{
		"content-type": {"application/json"}, "host": {"events.example"}, "user-agent": {"curl/8.0"},
		"accept": {"*/*"}, "content-length": {"1024"}, "x-request-id": {"r1"},
	}
}

func binaryHeaders() keg.Headers {
	h := plainHeaders()
	maps.Copy(h, keg.Headers{
		"ce-specversion": {"1.0"}, "ce-id": {"o-4711"}, "ce-type": {"order.created"}, "ce-source": {"/shop"},
		"ce-time": {"2026-01-31T12:00:00Z"}, "ce-subject": {"4711"}, "ce-tenant": {"acme"},
	})
	return h
}

func structuredBody() []byte {
	return []byte(`{"specversion":"1.0","id":"o-4711","type":"order.created","source":"/shop","time":"2026-01-31T12:00:00Z",` +
		`"subject":"4711","tenant":"acme","datacontenttype":"application/json","data":` + string(plainBody()) + `}`)
}

// benchmarkRequest measures one decode. FromRequest takes the headers' map over
// and may take names out of it; these have none that it would.
func benchmarkRequest(b *testing.B, headers keg.Headers, body []byte) {
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		r := Request{Host: "events.example", Path: "/events", Headers: headers, Body: body, ID: "k1"}
		batch, err := FromRequest(&r, Options{})
		if err != nil || len(batch.Entries) != 1 {
			b.Fatal(err)
		}
	}
}

func BenchmarkFromRequestPlain(b *testing.B)  { benchmarkRequest(b, plainHeaders(), plainBody()) }
func BenchmarkFromRequestBinary(b *testing.B) { benchmarkRequest(b, binaryHeaders(), plainBody()) }
func BenchmarkFromRequestStructured(b *testing.B) {
	h := plainHeaders()
	h["content-type"] = []string{"application/cloudevents+json"}
	benchmarkRequest(b, h, structuredBody())
}

func BenchmarkFromRequestBatchOf100(b *testing.B) {
	h := plainHeaders()
	h["content-type"] = []string{"application/cloudevents-batch+json"}
	body := []byte("[" + strings.Repeat(string(structuredBody())+",", 99) + string(structuredBody()) + "]")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		r := Request{Headers: h, Body: body}
		if batch, err := FromRequest(&r, Options{}); err != nil || len(batch.Entries) != 100 {
			b.Fatal(err)
		}
	}
}

func benchmarkEvent(b *testing.B) *keg.Event {
	e, err := FromJSON(structuredBody())
	if err != nil {
		b.Fatal(err)
	}
	return e
}

func BenchmarkAppendJSON(b *testing.B) {
	e := benchmarkEvent(b)
	dst := AppendJSON(nil, e)
	b.SetBytes(int64(len(dst)))
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendJSON(dst[:0], e)
	}
}

func BenchmarkToKafkaBinary(b *testing.B) {
	e := benchmarkEvent(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ToKafka(e, keg.FormatBinary); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkToHTTPBinary(b *testing.B) {
	e := benchmarkEvent(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ToHTTP(e, keg.FormatBinary); err != nil {
			b.Fatal(err)
		}
	}
}
