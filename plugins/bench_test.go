package plugins_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kong/keg"
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

// BenchmarkLogPhase is one log phase of Kong's on one connection, from its command
// to its end. What becomes of the entry is not waited for.
func BenchmarkLogPhase(b *testing.B) {
	for name, config := range map[string]string{"all": ``, "one of a hundred": `"sampling":0.01,`} {
		b.Run(name, func(b *testing.B) {
			k := newKong(b, plugins.Options{})
			k.sinks.on("a", func(context.Context, *keg.Event) error { return errors.New("kept by nobody") })
			id, ok := k.startOf(b, "event-log", `{`+config+`"routes":[{"name":"all","match":{},"destinations":[{"type":"memory","address":"a","retry":{"max_attempts":1}}]}]}`)
			if !ok {
				b.Fatal(k.log)
			}
			text, conn := recorded(b, "proxied"), k.dial(b)
			b.ReportAllocs()
			for b.Loop() {
				beginOn(b, conn, id, "log")
				serveLog(b, conn, text)
			}
			b.StopTimer()
			until(b, "the room to be empty", func() bool { return k.room.Stats().Entries == 0 })
			b.ReportMetric(float64(k.room.Stats().Dropped)/float64(b.N), "dropped/op")
		})
	}
}
