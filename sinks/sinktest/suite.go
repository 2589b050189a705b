package sinktest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/kong/keg"
)

// patience bounds what must happen soon, on a machine that is busy.
const patience = 60 * time.Second

// Run holds the type that start brings up to the contract of [keg.Sink]. Start
// is called once for each property, and cleans up by t.Cleanup.
func Run(t *testing.T, start func(t *testing.T) *Target) {
	for _, p := range properties {
		t.Run(p.name, func(t *testing.T) { p.holds(t, start(t)) })
	}
	for _, p := range wireProperties {
		t.Run(p.name, func(t *testing.T) { p.holds(t, start(t)) })
	}
}

// RunWithoutWire is Run for a server whose network the test does not hold: it
// leaves out the properties that cut a wire.
func RunWithoutWire(t *testing.T, start func(t *testing.T) *Target) {
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
	{"an event survives each format", survivesFormats},
	{"Send may be called by many at once", concurrently},
	{"large events arrive", large},
	{"the destination's headers and the event's go along", headers},
	{"Send leaves the event as it was", untouched},
	{"a Send whose context has ended does nothing", endedBefore},
	{"a refusal is permanent", refuses},
	{"a closed sink leaves nothing running", leavesNothing},
}

var wireProperties = []property{
	{"a Send ends with its context", endedDuring},
	{"a destination that was never there is a transient error, and comes back", neverThere},
	{"a destination that goes away is a transient error, and comes back", goesAway},
	{"a port that nobody listens on is an outage", closedPort},
	{"a destination that hangs is an error by the deadline, and comes back", hangs},
	{"a destination that hangs from the start is an error by the deadline, and comes back", hangsFromTheStart},
	{"an unused sink closes", unused},
	{"a sink closes while its destination hangs", closesHanging},
	{"a sink closes while it cannot connect", closesConnecting},
}

// open makes a sink for the target, changed by change if there is one, and
// closes it with the test.
func open(t *testing.T, target *Target, change func(d *keg.Destination)) keg.Sink {
	t.Helper()
	sink := openLeft(t, target, change)
	t.Cleanup(func() { closeSink(t, sink) })
	return sink
}

// openLeft is open for a test that closes the sink itself.
func openLeft(t *testing.T, target *Target, change func(d *keg.Destination)) keg.Sink {
	t.Helper()
	settings := target.Settings()
	d := &keg.Destination{
		Type:     target.Type,
		Name:     settings.Label(),
		Timeout:  patience,
		Format:   target.Formats[0],
		Settings: settings,
	}
	if change != nil {
		change(d)
	}
	if strings.Contains(d.Settings.Label(), Secret) {
		t.Errorf("the label %q holds a secret", d.Settings.Label())
	}
	sink, err := target.Open(d)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return sink
}

func closeSink(t *testing.T, sink keg.Sink) {
	t.Helper()
	start := time.Now()
	if err := sink.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if took := time.Since(start); took > patience/2 {
		t.Errorf("Close took %v", took)
	}
}

// send makes one attempt with much time, and checks that its error is fit to
// be shown.
func send(t *testing.T, sink keg.Sink, e *keg.Event) error {
	t.Helper()
	return sendWithin(t, sink, e, patience)
}

func sendWithin(t *testing.T, sink keg.Sink, e *keg.Event, limit time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err := sink.Send(ctx, e)
	presentable(t, err)
	return err
}

// presentable checks what holds for every error that a sink returns.
func presentable(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if strings.Contains(err.Error(), Secret) {
		t.Errorf("an error holds a secret: %q", err)
	}
	if strings.ContainsAny(err.Error(), "\r\n\x00") {
		t.Errorf("an error has more than one line: %q", err)
	}
	if keg.IsPermanent(err) && keg.IsUnreachable(err) {
		t.Errorf("an error is permanent and an outage: %q", err)
	}
	if len(err.Error()) > 2000 {
		t.Errorf("an error is %d bytes long", len(err.Error()))
	}
}

func arrived(t *testing.T, target *Target) []Arrival {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	got, err := target.Arrived(ctx)
	if err != nil {
		t.Fatalf("looking at what arrived: %v", err)
	}
	return got
}

// times counts what arrived, by event id.
func times(t *testing.T, target *Target) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, a := range arrived(t, target) {
		counts[a.Event.ID]++
	}
	return counts
}

// event is a legal event with something in every attribute that a wire form
// could lose.
func event(id string, data []byte) *keg.Event {
	return &keg.Event{
		ID:              id,
		Source:          "/sinktest/%C3%A4%20b",
		Type:            "sinktest.event",
		Subject:         "a \"quoted\" % subject, ü",
		Time:            time.Date(2026, 1, 31, 12, 30, 15, 123456789, time.UTC),
		DataContentType: "application/json",
		DataSchema:      "https://example.com/schema.json",
		Extensions:      map[string]string{"partitionkey": "key-1", "tenant": "blue"},
		Data:            data,
	}
}
