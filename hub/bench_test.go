package hub

import (
	"context"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

type noSinks struct{}

func (noSinks) Open(*keg.Destination) (keg.Sink, error) { return noSinks{}, nil }
func (noSinks) Send(context.Context, *keg.Event) error  { return nil }
func (noSinks) Close() error                            { return nil }

// BenchmarkPublish is what the hub itself costs an event, for destinations that
// cost nothing.
func BenchmarkPublish(b *testing.B) {
	for _, bench := range []struct {
		name  string
		table []string
		ack   keg.Ack
	}{
		{"one destination", []string{"a"}, keg.AckDelivered},
		{"four destinations", []string{"a", "b", "c", "d"}, keg.AckDelivered},
		{"one destination, ack none", []string{"a"}, keg.AckNone},
	} {
		b.Run(bench.name, func(b *testing.B) {
			h := New(Options{Sinks: noSinks{}, MaxInFlight: 1 << 30})
			p, err := h.Open(PortOptions{Table: all(b, bench.table...), Ack: bench.ack})
			if err != nil {
				b.Fatal(err)
			}
			e := event("1")
			e.Headers = keg.Headers{"user-agent": {"curl/8"}, "content-type": {"application/json"}}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if r := p.Publish(b.Context(), e); r[0].Err != nil {
						b.Error(r[0].Err)
					}
				}
			})
			if err := h.Close(b.Context()); err != nil {
				b.Error(err)
			}
		})
	}
}

// nowhere is a store that keeps nothing and costs nothing: it hands out what it
// is given at once.
type nowhere struct{ outbox.Store }

func (nowhere) Put(_ context.Context, entries ...*outbox.Entry) error {
	for _, e := range entries {
		for _, o := range e.Owed {
			if o.Held = nil; o.Hold {
				o.Held = &outbox.Delivery{ID: e.Event.ID, Queue: o.Queue, Event: e.Event, Accepted: time.Now()}
			}
		}
	}
	return nil
}

func (nowhere) Settle(context.Context, ...*outbox.Settlement) error { return nil }
func (nowhere) Ready(context.Context) ([]outbox.Queue, time.Time, error) {
	return nil, time.Time{}, nil
}
func (nowhere) Changed() <-chan struct{} { return nil }

// BenchmarkStored is what the hub and the dispatcher cost an event that is
// stored, beside the store and the destination, which cost nothing.
func BenchmarkStored(b *testing.B) {
	h := New(Options{Sinks: noSinks{}, Store: nowhere{}})
	if err := h.SetTable(all(b, "a")); err != nil {
		b.Fatal(err)
	}
	h.Start()
	p, err := h.Open(PortOptions{Name: "bench", Ack: keg.AckStored})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		e := event("1")
		e.Headers = keg.Headers{"user-agent": {"curl/8"}, "content-type": {"application/json"}}
		for pb.Next() {
			if r := p.Publish(b.Context(), e); r[0].Err != nil {
				b.Error(r[0].Err)
			}
		}
	})
	if err := h.Close(b.Context()); err != nil {
		b.Error(err)
	}
}
