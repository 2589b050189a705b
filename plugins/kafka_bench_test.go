package plugins_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kong/keg/plugins"
)

// BenchmarkThroughTheSocket is one request of 1 KB through the plugin server's
// socket, answered when its destination has it: what Kong's worker waits for,
// less the broker, for event-router and for kafka-upstream that waits. Each answer
// takes a connection, as it does Kong.
func BenchmarkThroughTheSocket(b *testing.B) {
	r := request{id: "kong-1", line: "POST /events HTTP/1.1", body: `{"order":"` + strings.Repeat("x", 1000) + `"}`, headers: map[string][]string{
		"host": {"shop.example"}, "user-agent": {"curl/8.5.0"}, "accept": {"*/*"}, "content-type": {"application/json"}, "content-length": {"1012"},
		"x-event-type": {"order.created"}, "x-event-source": {"shop"},
	}}
	k := newKong(b, plugins.Options{})
	k.sinks.forget = true
	var instances [2]int32
	var took [2]atomic.Int64
	for i, start := range []struct{ plugin, config string }{
		{"event-router", `{"routes":[{"name":"r","match":{},"destinations":[{"type":"kafka","address":"kafka:9092","topic":"t"}]}]}`},
		{"kafka-upstream", `{"bootstrap_servers":[{"host":"kafka","port":9092}],"topic":"t","producer_async":false}`},
	} {
		var ok bool
		if instances[i], ok = k.startOf(b, start.plugin, start.config); !ok {
			b.Fatal(k.log)
		}
	}
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			for i, id := range instances { // in turns, so that the machine's other work is the same for both
				began := time.Now()
				if got := k.event(b, id, r); got.status != 200 {
					b.Errorf("%d %s", got.status, got.body)
				}
				took[i].Add(int64(time.Since(began)))
			}
		}
	})
	for i, unit := range []string{"event-router-ns", "kafka-upstream-ns"} {
		b.ReportMetric(float64(took[i].Load())/float64(b.N), unit)
	}
}
