package hub

import (
	"context"
	"testing"

	"github.com/kong/keg"
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
