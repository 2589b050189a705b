package sources

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kong/keg"
	"github.com/kong/keg/test/logtest"
)

// What strangers send must not fill the disk that events are kept on.
func TestAFloodOfRefusedRequestsIsNotALineEach(t *testing.T) {
	const requests = 2500
	log := &logtest.Log{}
	c := client(t)
	url := "http://" + run(t, &HTTP{Log: log.Logger()}, (&took{}).handle)
	for range requests {
		refusedWith(t, send1(t, c, "POST", url, `{"id":1}`, "Content-Type", "application/cloudevents+json"), 400)
	}
	if lines := len(log.Lines("a request was refused")); lines < 1000 || lines > requests*4/5 {
		t.Errorf("%d lines for %d requests", lines, requests)
	}
}

// Whoever looks after the node must find in its log what senders were told,
// whether decoding refused the event or a destination did.
func TestOneLineForEachRequestOfWhichSomethingWasRefused(t *testing.T) {
	failing := func(_ context.Context, events ...*keg.Event) keg.Receipts {
		receipts := make(keg.Receipts, len(events))
		for i, e := range events {
			receipts[i] = keg.Receipt{ID: e.ID, Routes: []string{"orders"}, Err: errors.New("the broker is on fire")}
		}
		return receipts
	}
	const structured, batch = "application/cloudevents+json", "application/cloudevents-batch+json"
	one := `{"specversion":"1.0","id":"one","source":"s","type":"t"}`
	for _, test := range []struct {
		name, mediaType, body string
		handle                keg.Handler
		want                  []string // in the one line; none: no line
		rejected              int64    // that are no events
	}{
		{"a good event", structured, one, (&took{}).handle, nil, 0},
		{"a bad event", structured, `{"id":1}`, (&took{}).handle, []string{"level=WARN", "id"}, 1},
		{"an event that no destination took", structured, one, failing, []string{"level=ERROR", "on fire", "id=one"}, 0},
		{"a batch that no destination took", batch, "[" + one + "," + one + "]", failing, []string{"level=ERROR", "on fire", "refused=2"}, 0},
		{"a batch with a bad event", batch, "[" + one + ",7]", (&took{}).handle, []string{"level=WARN", "JSON object"}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			log := &logtest.Log{}
			var rejected atomic.Int64
			address, stop := start(t, &HTTP{Log: log.Logger(), Rejected: func(error) { rejected.Add(1) }}, test.handle)
			heard := send1(t, client(t), "POST", "http://"+address, test.body, "Content-Type", test.mediaType)
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			said := log.String()
			if rejected.Load() != test.rejected {
				t.Errorf("%d are told of as no events", rejected.Load())
			}
			if lines := strings.Count(said, "a request was refused"); lines != min(len(test.want), 1) {
				t.Fatalf("%d lines tell of a refusal:\n%s", lines, said)
			}
			for _, want := range append(test.want, fmt.Sprintf("status=%d", heard.status)) {
				if len(test.want) > 0 && !strings.Contains(said, want) {
					t.Errorf("the line lacks %s:\n%s", want, said)
				}
			}
		})
	}
}
