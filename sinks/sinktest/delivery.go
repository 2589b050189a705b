package sinktest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kong/keg"
)

func arrives(t *testing.T, target *Target) {
	sink := open(t, target, nil)
	for i := range 3 {
		id := fmt.Sprintf("arrives-%d", i)
		if err := send(t, sink, event(id, []byte(`{"n":1}`))); err != nil {
			t.Fatalf("Send: %v", err)
		}
		// No waiting: Send has returned.
		if got := times(t, target); got[id] != 1 || len(got) != i+1 {
			t.Fatalf("after Send of %s: arrived %v", id, got)
		}
	}
}

func survivesFormats(t *testing.T, target *Target) {
	bodies := map[string]struct {
		contentType string
		data        []byte
	}{
		"json":    {"application/json", []byte(`{"order":{"id":7,"total":129.90},"note":"ü\u0000"}`)},
		"text":    {"text/plain", []byte("line 1\r\nline 2")},
		"bytes":   {"application/octet-stream", []byte{0, 0xFF, '\n', 0x80, 0}},
		"no data": {"", nil},
	}
	for _, format := range target.Formats {
		for name, body := range bodies {
			t.Run(string(format)+"/"+name, func(t *testing.T) {
				sink := open(t, target, func(d *keg.Destination) { d.Format = format })
				want := event(string(format)+" "+name, body.data)
				want.DataContentType = body.contentType
				before := len(arrived(t, target))
				if err := send(t, sink, want); err != nil {
					t.Fatalf("Send: %v", err)
				}
				all := arrived(t, target)
				if len(all) != before+1 {
					t.Fatalf("%d arrived, want 1", len(all)-before)
				}
				if format == keg.FormatRaw {
					if !slices.ContainsFunc(all, func(a Arrival) bool { return bytes.Equal(a.Body, want.Data) }) {
						t.Errorf("nothing arrived that is the data alone, %q", want.Data)
					}
					return
				}
				i := slices.IndexFunc(all, func(a Arrival) bool { return a.Event != nil && a.Event.ID == want.ID })
				if i < 0 {
					t.Fatalf("no event %q arrived", want.ID)
				}
				if diff := cmp.Diff(want, all[i].Event, sameEvent); diff != "" {
					t.Errorf("sent, but arrived (-/+):\n%s", diff)
				}
			})
		}
	}
}

// sameEvent compares events as CloudEvents: JSON data by its value, and
// without the headers that carried them.
var sameEvent = cmp.Options{
	cmpopts.IgnoreFields(keg.Event{}, "Headers"),
	cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Data" },
		cmp.Comparer(func(a, b []byte) bool {
			var x, y any
			if json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil {
				return cmp.Equal(x, y)
			}
			return bytes.Equal(a, b)
		})),
}

func concurrently(t *testing.T, target *Target) {
	const senders, each = 16, 25
	sink := open(t, target, nil)
	var group sync.WaitGroup
	for s := range senders {
		group.Go(func() {
			for i := range each {
				if err := send(t, sink, event(fmt.Sprintf("%d-%d", s, i), []byte(`{}`))); err != nil {
					t.Errorf("Send: %v", err)
					return
				}
			}
		})
	}
	group.Wait()
	got := times(t, target)
	for s := range senders {
		for i := range each {
			if id := fmt.Sprintf("%d-%d", s, i); got[id] != 1 {
				t.Errorf("%s arrived %d times", id, got[id])
			}
		}
	}
	if len(got) != senders*each {
		t.Errorf("%d events arrived, %d were sent", len(got), senders*each)
	}
}

func large(t *testing.T, target *Target) {
	sink := open(t, target, nil)
	for _, size := range []int{64 << 10, 1 << 20} {
		want := event(fmt.Sprintf("%d bytes", size), bytes.Repeat([]byte("0123456789abcdef"), size/16))
		want.DataContentType = "text/plain"
		if err := send(t, sink, want); err != nil {
			t.Fatalf("Send of %s: %v", want.ID, err)
		}
		all := arrived(t, target)
		if i := slices.IndexFunc(all, func(a Arrival) bool { return a.Event.ID == want.ID }); i < 0 {
			t.Errorf("%s did not arrive", want.ID)
		} else if !bytes.Equal(all[i].Event.Data, want.Data) {
			t.Errorf("%s arrived as other bytes, %d of them", want.ID, len(all[i].Event.Data))
		}
	}
}

func headers(t *testing.T, target *Target) {
	if !target.Headers {
		return // the type has no headers, and nothing to prove here
	}
	sink := open(t, target, func(d *keg.Destination) {
		d.Headers = map[string]keg.Secret{"X-Fixed": keg.NewSecret(Secret), "x-both": keg.NewSecret("the destination's")}
	})
	e := event("headers", []byte(`{}`))
	e.Headers = keg.Headers{"x-brought": {"one", "two"}, "x-both": {"the event's"}, "connection": {"close"}}
	if err := send(t, sink, e); err != nil {
		t.Fatalf("Send: %v", err)
	}
	got := keg.Headers{}
	for name, values := range arrived(t, target)[0].Headers {
		for _, value := range values {
			got.Add(name, value)
		}
	}
	for name, want := range map[string][]string{
		"x-fixed":    {Secret},
		"x-brought":  {"one", "two"},
		"x-both":     {"the destination's"},
		"connection": nil,
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("header %s (-want +got):\n%s", name, diff)
		}
	}
}

func untouched(t *testing.T, target *Target) {
	for _, format := range target.Formats {
		sink := open(t, target, func(d *keg.Destination) { d.Format = format })
		e := event("untouched", []byte(`{"a": 1}`))
		e.Headers = keg.Headers{"x-brought": {"one"}}
		before := e.Clone()
		before.Data = bytes.Clone(e.Data)
		if err := send(t, sink, e); err != nil {
			t.Fatalf("Send: %v", err)
		}
		if diff := cmp.Diff(before, e); diff != "" {
			t.Errorf("Send changed the event (-before +after):\n%s", diff)
		}
	}
}
