package plugins_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/kong/keg/hub"
	"github.com/kong/keg/kong/schema"
	"github.com/kong/keg/plugins"
	"github.com/kong/keg/router"
	"github.com/kong/keg/sinks"
)

// BenchmarkStart is what it costs to start an instance: every worker of Kong
// starts its own, all of them with the same routes.
func BenchmarkStart(b *testing.B) {
	for _, count := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("%d routes", count), func(b *testing.B) {
			var list []string
			for i := range count {
				list = append(list, fmt.Sprintf(`{"name":"r%d","match":{"type":"t%d"},"destinations":[{"type":"kafka","address":"kafka:9092","topic":"t%d"}]}`, i, i, i))
			}
			config := json.RawMessage(`{"routes":[` + strings.Join(list, ",") + `]}`)
			pool := sinks.NewPool(nil)
			h := hub.New(hub.Options{Sinks: pool})
			p, _ := plugins.ByName("event-router", plugins.Options{Hub: h, Routes: router.Options{Types: sinks.Types()}})
			b.ReportAllocs()
			for b.Loop() {
				into := p.Config()
				if err := schema.Decode(config, into); err != nil {
					b.Fatal(err)
				}
				if _, err := p.Start(into); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			if err := h.Close(b.Context()); err != nil {
				b.Error(err)
			}
			if err := pool.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}
