package sources

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kong/keg"
)

// null says yes to everything, and counts it.
type null struct{ count atomic.Int64 }

func (n *null) Publish(_ context.Context, events ...*keg.Event) keg.Receipts {
	n.count.Add(int64(len(events)))
	return make(keg.Receipts, len(events))
}

func (n *null) Abandon(_ context.Context, dead ...*keg.DeadLetter) error {
	n.count.Add(int64(len(dead)))
	return nil
}

// until blocks until the source has handed on so many.
func (n *null) until(b *testing.B, many int) {
	for deadline := time.Now().Add(5 * time.Minute); n.count.Load() < int64(many); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("%d of %d events in five minutes", n.count.Load(), many)
		}
	}
}

// BenchmarkKafka reads what waits in six partitions of an in-memory Kafka, 1 KB
// events in binary mode; joining the group is not in it, the broker's cost is.
func BenchmarkKafka(b *testing.B) {
	c := startCluster(b)
	c.create(b, "a", 6)
	filler := strings.Repeat("x", 950)
	records := make([]*kgo.Record, 0, 1000)
	flush := func() { c.produce(b, records...); records = records[:0] }
	for i := range b.N + 6 {
		r := event("a", int32(i%6), fmt.Sprint(i))
		r.Value = []byte(filler)
		if records = append(records, r); len(records) == cap(records) {
			flush()
		}
		if i == 5 { // one for each partition, to begin with
			flush()
		}
	}
	var n null
	settings := c.settings("a")
	source := openTest(b, config("kafka", settings), Options{})
	flush()
	b.SetBytes(1000)
	b.ReportAllocs()
	b.ResetTimer()
	stop := background(b, source, &n)
	n.until(b, b.N+6)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	stop()
}

// BenchmarkMQTT is 1 KB events with qos 1 through a broker in this process, each
// acknowledged; the broker's cost is in it.
func BenchmarkMQTT(b *testing.B) {
	broker := startBroker(b)
	var n null
	settings := broker.settings("keg/#")
	stop := background(b, openTest(b, config("mqtt", settings), Options{}), &n)
	for !broker.subscribed("keg-test") {
		time.Sleep(time.Millisecond)
	}
	payload := strings.Replace(structured("1"), `{"id":1}`, `"`+strings.Repeat("x", 900)+`"`, 1)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		broker.publish(b, "keg/a", payload)
		for int64(i)-n.count.Load() > 500 { // less than the broker drops at
			time.Sleep(100 * time.Microsecond)
		}
	}
	n.until(b, b.N)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	stop()
}
