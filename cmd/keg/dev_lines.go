package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/cmd/keg/dev"
	"github.com/kong/keg/hub"
)

// devLines prints what happens, a line each: events as the hub has dealt with
// them, and what the webhook receiver was sent.
type devLines struct {
	mu sync.Mutex
	w  io.Writer
}

// event is the hub's observer.
func (l *devLines) event(t hub.Trace) {
	l.print("event", describeEvent(t))
}

// attempted is called after each attempt at a stored delivery.
func (l *devLines) attempted(label string, e *keg.Event, took time.Duration, err error) {
	d := keg.Delivery{Err: err}
	l.print("sent", fmt.Sprintf("%s  %s  → %s %s in %s", printable([]byte(e.ID)), printable([]byte(e.Type)), label, outcome(&d), took.Round(10*time.Microsecond)))
}

// received is called for each request that the webhook receiver took.
func (l *devLines) received(r dev.Received) {
	body := r.Body[:min(len(r.Body), maxLineData)]
	kind := r.Header.Get("Ce-Type")
	if kind == "" {
		kind = r.Header.Get("Content-Type")
	}
	l.print("webhook", fmt.Sprintf("%s %s  %s  %s", r.Method, printable([]byte(r.Path)), printable([]byte(kind)), printable(body)))
}

func (l *devLines) print(what, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = fmt.Fprintf(l.w, "%s  %-7s  %s\n", time.Now().Format("15:04:05.000"), what, line)
}

// describeEvent says: id, type, routes, and each destination's outcome and time.
func describeEvent(t hub.Trace) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  ", printable([]byte(t.Event.ID)), printable([]byte(t.Event.Type)))
	if len(t.Receipt.Routes) == 0 {
		b.WriteString("no route")
	} else {
		b.WriteString(strings.Join(t.Receipt.Routes, ", "))
	}
	if t.Receipt.Ack == keg.AckStored && t.Receipt.Err == nil && len(t.Receipt.Routes) > 0 {
		b.WriteString("  stored")
	}
	if t.Receipt.Duplicate {
		b.WriteString(" before: a duplicate")
	}
	for i := range t.Receipt.Deliveries {
		d := &t.Receipt.Deliveries[i]
		fmt.Fprintf(&b, "  → %s %s in %s", d.Destination.Name, outcome(d), d.Took.Round(10*time.Microsecond))
	}
	if err := t.Receipt.Err; err != nil && len(t.Receipt.Deliveries) == 0 {
		fmt.Fprintf(&b, "  refused: %s", printable([]byte(err.Error())))
	}
	return b.String()
}

func outcome(d *keg.Delivery) string {
	said := "ok"
	if d.Err != nil {
		said = fmt.Sprintf("FAILED (%s)", printable([]byte(d.Err.Error())))
	}
	if d.Attempts > 1 {
		said += fmt.Sprintf(" after %d attempts", d.Attempts)
	}
	if d.DeadLettered {
		said += ", dead-lettered"
	}
	return said
}
