package answer

import (
	"errors"
	"testing"
	"time"

	"github.com/kong/keg"
)

func TestBatchesThatAgreeHaveOneStatus(t *testing.T) {
	safe := keg.Receipt{ID: "a", Routes: []string{"r"}, Ack: keg.AckDelivered}
	got := Of(keg.Receipts{safe, {ID: "b", Routes: []string{"r", "s"}, Ack: keg.AckDelivered}}, true)
	if got.Status != 200 || got.Headers.Get("Content-Type") != "application/json" {
		t.Errorf("status %d, %v", got.Status, got.Headers)
	}
	same(t, `[{"status":200,"id":"a","routes":["r"]},{"status":200,"id":"b","routes":["r","s"]}]`, got)

	got = Of(keg.Receipts{{ID: "a", Err: &keg.UnroutedError{}}, {ID: "b", Err: &keg.UnroutedError{}}}, true)
	if got.Status != 422 || got.Headers.Get("Content-Type") != "application/problem+json" {
		t.Errorf("status %d, %v", got.Status, got.Headers)
	}
	same(t, `{"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"none of the batch's 2 events was taken; events says why, in order",
		"events":[{"status":422,"id":"a","error":"no route takes this event"},{"status":422,"id":"b","error":"no route takes this event"}]}`, got)
}

func TestBatchesThatDoNotAgreeSayIt(t *testing.T) {
	got := Of(keg.Receipts{
		{ID: "a", Routes: []string{"r"}, Ack: keg.AckDelivered},
		{ID: "b", Ack: keg.AckDelivered},
		{Err: &keg.InvalidError{Problem: "the event is no JSON object"}},
		failed(delivery("r", orders, keg.Permanent(errors.New("too large")))),
		{ID: "e", Err: &keg.BusyError{Problem: "full", After: time.Second}},
	}, true)
	if got.Status != 207 || got.Headers.Get("Content-Type") != "application/json" {
		t.Errorf("status %d, %v", got.Status, got.Headers)
	}
	same(t, `[{"status":200,"id":"a","routes":["r"]},
		{"status":202,"id":"b","routes":[]},
		{"status":400,"error":"the event is no JSON object"},
		{"status":502,"id":"7","error":"not every destination took the event",
			"deliveries":[{"route":"r","destination":"kafka://kafka:9092/orders","attempts":3,"error":"too large"}]},
		{"status":503,"id":"e","error":"full"}]`, got)

	none := Of(keg.Receipts{{ID: "a", Err: &keg.UnroutedError{}}, {ID: "b", Err: &keg.InvalidError{Problem: "x"}}}, true)
	if none.Status != 207 {
		t.Errorf("two refusals of two kinds: status %d", none.Status)
	}
}

func TestBatchThatIsWhollyBusyMayComeAgain(t *testing.T) {
	got := Of(keg.Receipts{{Err: &keg.BusyError{After: 2 * time.Second}}, {Err: &keg.BusyError{After: 9 * time.Second}}}, true)
	if got.Status != 503 || got.Headers.Get("Retry-After") != "9" {
		t.Errorf("status %d, %v", got.Status, got.Headers)
	}
}

func TestSmallBatches(t *testing.T) {
	empty := Of(nil, true)
	same(t, `[]`, empty)
	if empty.Status != 202 {
		t.Errorf("an empty batch: status %d", empty.Status)
	}
	one := Of(keg.Receipts{{ID: "a", Routes: []string{"r"}, Ack: keg.AckStored}}, true)
	same(t, `[{"status":202,"id":"a","routes":["r"]}]`, one)
	if one.Status != 202 {
		t.Errorf("a batch of one: status %d", one.Status)
	}
}

func BenchmarkOfABatchOf100(b *testing.B) {
	receipts := make(keg.Receipts, 100)
	for i := range receipts {
		receipts[i] = keg.Receipt{ID: "01a20a16-67c0-7cd3-a1d6-33da8be66d79", Routes: []string{"order-events-to-processing"}, Ack: keg.AckDelivered}
	}
	b.ReportAllocs()
	for b.Loop() {
		if Of(receipts, true).Status != 200 {
			b.Fatal("not 200")
		}
	}
}
