package sources

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kong/keg"
	"github.com/kong/keg/test/logtest"
)

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
	}{
		{"a good event", structured, one, (&took{}).handle, nil},
		{"a bad event", structured, `{"id":1}`, (&took{}).handle, []string{"level=WARN", "id"}},
		{"an event that no destination took", structured, one, failing, []string{"level=ERROR", "on fire", "id=one"}},
		{"a batch that no destination took", batch, "[" + one + "," + one + "]", failing, []string{"level=ERROR", "on fire", "refused=2"}},
		{"a batch with a bad event", batch, "[" + one + ",7]", (&took{}).handle, []string{"level=WARN", "JSON object"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			log := &logtest.Log{}
			address, stop := start(t, &HTTP{Log: log.Logger()}, test.handle)
			heard := send1(t, client(t), "POST", "http://"+address, test.body, "Content-Type", test.mediaType)
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			said := log.String()
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
