package sinktest

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/kong/keg"
)

// patience bounds what must happen soon, on a machine that is busy.
const patience = 30 * time.Second

// Run holds the type that start brings up to the contract of [keg.Sink]. Start
// is called once for each property, and cleans up by t.Cleanup.
func Run(t *testing.T, start func(t *testing.T) *Target) {
	for _, p := range properties {
		t.Run(p.name, func(t *testing.T) { p.holds(t, start(t)) })
	}
}

// property is one thing that holds for every sink.
type property struct {
	name  string
	holds func(t *testing.T, target *Target)
}

var properties = []property{
	{"what Send said yes to has arrived", arrives},
}

func arrives(t *testing.T, target *Target) {
	sink := open(t, target, nil)
	e := event("arrives", []byte(`{"n":1}`))
	if err := send(t, sink, e); err != nil {
		t.Fatalf("Send: %v", err)
	}
	got := arrived(t, target)
	if len(got) != 1 {
		t.Fatalf("%d arrived, want 1", len(got))
	}
	if !bytes.Contains(got[0].Body, e.Data) {
		t.Errorf("body %q, want the data %q in it", got[0].Body, e.Data)
	}
}

// open makes a sink for the target, changed by change if there is one, and
// closes it with the test.
func open(t *testing.T, target *Target, change func(d *keg.Destination)) keg.Sink {
	t.Helper()
	d := destination(target)
	if change != nil {
		change(d)
	}
	sink, err := target.Open(d)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := sink.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return sink
}

func destination(target *Target) *keg.Destination {
	settings := target.Settings()
	return &keg.Destination{
		Type:     target.Type,
		Name:     settings.Label(),
		Timeout:  patience,
		Format:   target.Formats[0],
		Settings: settings,
	}
}

func send(t *testing.T, sink keg.Sink, e *keg.Event) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return sink.Send(ctx, e)
}

func arrived(t *testing.T, target *Target) []Arrival {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	got, err := target.Arrived(ctx)
	if err != nil {
		t.Fatalf("looking at what arrived: %v", err)
	}
	return got
}

// event is a legal event with something in every attribute that a wire form
// could lose.
func event(id string, data []byte) *keg.Event {
	return &keg.Event{
		ID:              id,
		Source:          "/sinktest/ä%20b",
		Type:            "sinktest.event",
		Subject:         "a \"quoted\" % subject, ü",
		Time:            time.Date(2026, 1, 31, 12, 30, 15, 123456789, time.UTC),
		DataContentType: "application/json",
		DataSchema:      "https://example.com/schema.json",
		Extensions:      map[string]string{"partitionkey": "key-1", "tenant": "blue"},
		Data:            data,
	}
}
