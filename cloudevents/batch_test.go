package cloudevents

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

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
