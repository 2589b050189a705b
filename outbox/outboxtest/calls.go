package outboxtest

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// queue and other are two queues that differ in everything.
var (
	queue = outbox.Queue{Scope: "", Route: "orders", Destination: "kafka://kafka:9092/orders"}
	other = outbox.Queue{Scope: "5f", Route: "", Destination: "ä dead one", DeadLetter: true}
)

// event is one whose id says which.
func event(id any) *keg.Event {
	return &keg.Event{
		ID: fmt.Sprint(id), Source: "//shop", Type: "order.created",
		Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), DataContentType: "application/json",
		Extensions: map[string]string{"partitionkey": "k"}, Headers: keg.Headers{"x-a": {"1", "2"}},
		Data: fmt.Appendf(nil, `{"n":"%v"}`, id),
	}
}

// owe is an entry with one delivery to queue, of the key.
func owe(id any, key string) *outbox.Entry {
	return &outbox.Entry{Event: event(id), Owed: []*outbox.Owed{{Queue: queue, Key: key}}}
}

// hold asks for an entry's deliveries to be held.
func hold(e *outbox.Entry) *outbox.Entry {
	for _, o := range e.Owed {
		o.Hold = true
	}
	return e
}

func (s *node) put(entries ...*outbox.Entry) {
	s.t.Helper()
	if err := s.Put(s.t.ctx(), entries...); err != nil {
		s.t.Fatalf("Put: %v", err)
	}
}

// held puts one entry that must be held, and returns its first delivery.
func (s *node) held(e *outbox.Entry) *outbox.Delivery {
	s.t.Helper()
	s.put(hold(e))
	if e.Owed[0].Held == nil {
		s.t.Fatalf("event %s is not held, though nothing waits", e.Event.ID)
	}
	return e.Owed[0].Held
}

// claim claims all that there is, in one call.
func (s *node) claim(q outbox.Queue) []*outbox.Delivery {
	s.t.Helper()
	return s.claimUpTo(q, 1000, math.MaxInt64)
}

func (s *node) claimUpTo(q outbox.Queue, n int, maxBytes int64) []*outbox.Delivery {
	s.t.Helper()
	deliveries, err := s.Claim(s.t.ctx(), q, n, maxBytes)
	if err != nil {
		s.t.Fatalf("Claim: %v", err)
	}
	return deliveries
}

// claimed claims until the deliveries of these events, in that order, are there
// and nothing else.
func (s *node) claimed(q outbox.Queue, ids ...any) []*outbox.Delivery {
	s.t.Helper()
	all := s.claim(q)
	if diff := cmp.Diff(idsOf(all), texts(ids)); diff != "" {
		s.t.Fatalf("claimed (-got +want):\n%s", diff)
	}
	return all
}

func (s *node) settle(settlements ...*outbox.Settlement) {
	s.t.Helper()
	if err := s.Settle(s.t.ctx(), settlements...); err != nil {
		s.t.Fatalf("Settle: %v", err)
	}
}

// end settles deliveries with one outcome.
func (s *node) end(outcome outbox.Outcome, deliveries ...*outbox.Delivery) {
	s.t.Helper()
	all := make([]*outbox.Settlement, len(deliveries))
	for i, d := range deliveries {
		all[i] = &outbox.Settlement{Delivery: d, Outcome: outcome}
	}
	s.settle(all...)
}

// die makes dead letters of deliveries.
func (s *node) die(reason keg.Reason, deliveries ...*outbox.Delivery) {
	s.t.Helper()
	for _, d := range deliveries {
		s.settle(&outbox.Settlement{Delivery: d, Outcome: outbox.Dead, Reason: reason})
	}
}

func (s *node) dead(f outbox.Filter) []*keg.DeadLetter {
	s.t.Helper()
	dead, err := s.DeadLetters(s.t.ctx(), f, "", 1000)
	if err != nil {
		s.t.Fatalf("DeadLetters: %v", err)
	}
	return dead
}

func (s *node) ready() []outbox.Queue {
	s.t.Helper()
	queues, _, err := s.Ready(s.t.ctx())
	if err != nil {
		s.t.Fatalf("Ready: %v", err)
	}
	return queues
}

func idsOf(deliveries []*outbox.Delivery) []string {
	ids := []string{}
	for _, d := range deliveries {
		ids = append(ids, d.Event.ID)
	}
	return ids
}

func deadIDs(dead []*keg.DeadLetter) []string {
	ids := []string{}
	for _, d := range dead {
		ids = append(ids, d.Event.ID)
	}
	return ids
}

func texts(values []any) []string {
	all := []string{}
	for _, v := range values {
		all = append(all, fmt.Sprint(v))
	}
	return all
}

// check fails the test where got is not want.
func (t *home) check(what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(sameBytes)); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// sameBytes compares data without a look at each byte; absent is not empty.
func sameBytes(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }
