package outbox_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

func whole() *keg.Event {
	return &keg.Event{
		ID: "1", Source: "//shop/ä", Type: "order.created", Subject: "7",
		Time:            time.Date(2026, 11, 27, 3, 0, 0, 123456789, time.FixedZone("", 2*3600)),
		DataContentType: "application/json", DataSchema: "https://schemas/order",
		Extensions: map[string]string{"partitionkey": "k", "traceparent": ""},
		Data:       []byte(`{"a":1}`),
		Headers:    keg.Headers{"x-tenant": {"eu", "us"}, "x-empty": {""}},
	}
}

func TestAnEventComesBackAsItWas(t *testing.T) {
	for name, e := range map[string]*keg.Event{
		"all of it":     whole(),
		"the least":     {ID: "1", Source: "s", Type: "t"},
		"empty data":    {ID: "1", Source: "s", Type: "t", Data: []byte{}},
		"before 1970":   {ID: "1", Source: "s", Type: "t", Time: time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)},
		"a far zone":    {ID: "1", Source: "s", Type: "t", Time: time.Date(9999, 1, 1, 0, 0, 0, 999, time.FixedZone("", -11*3600-1800))},
		"a large event": {ID: "1", Source: "s", Type: "t", Data: bytes.Repeat([]byte{0, 0xFF}, 1<<20)},
	} {
		stored := outbox.AppendEvent(nil, e)
		got, err := outbox.ParseEvent(stored)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		if (e.Data == nil) != (got.Data == nil) {
			t.Errorf("%s: data %v became %v", name, e.Data, got.Data)
		}
		if again := outbox.AppendEvent(nil, got); !bytes.Equal(stored, again) {
			t.Errorf("%s: not the same bytes again", name)
		}
	}
}

func TestFieldsOfALaterVersionAreSkipped(t *testing.T) {
	e := whole()
	stored := outbox.AppendEvent([]byte{0x7A, 0x03, 'n', 'e', 'w', 0xF8, 0x01, 0x96, 0x01}, e)
	got, err := outbox.ParseEvent(stored)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add(outbox.AppendEvent(nil, whole()))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := outbox.ParseEvent(b)
		if err != nil {
			return
		}
		again, err := outbox.ParseEvent(outbox.AppendEvent(nil, e))
		if err != nil {
			t.Fatalf("what was read and written again cannot be read: %v", err)
		}
		if diff := cmp.Diff(e, again); diff != "" {
			t.Error(diff)
		}
	})
}

func BenchmarkAppendEvent(b *testing.B) {
	e := whole()
	e.Data = bytes.Repeat([]byte("x"), 1000)
	var buffer []byte
	b.ReportAllocs()
	for b.Loop() {
		buffer = outbox.AppendEvent(buffer[:0], e)
	}
}

func BenchmarkParseEvent(b *testing.B) {
	e := whole()
	e.Data = bytes.Repeat([]byte("x"), 1000)
	stored := outbox.AppendEvent(nil, e)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := outbox.ParseEvent(stored); err != nil {
			b.Fatal(err)
		}
	}
}
