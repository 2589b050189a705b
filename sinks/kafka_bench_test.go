package sinks

import (
	"bytes"
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// BenchmarkKafkaSend is one event of 1 KiB, from many goroutines at once,
// acknowledged by an in-memory broker in the same process, whose work is part
// of the figure.
func BenchmarkKafkaSend(b *testing.B) {
	for _, idempotent := range []bool{true, false} {
		name := map[bool]string{true: "idempotent", false: "plain"}[idempotent]
		b.Run(name, func(b *testing.B) {
			server := startKafka(b, kfake.BrokerConfigs(map[string]string{"log.retention.bytes": "16777216"}))
			settings := server.settings("orders")
			settings.Idempotent = idempotent
			sink := openSink(b, newPool(b), kafkaDestination(settings))
			e := testEvent("bench")
			e.Data = bytes.Repeat([]byte("x"), 1<<10)
			if err := sink.Send(context.Background(), e); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(1 << 10)
			b.SetParallelism(64)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := sink.Send(context.Background(), e); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkKafkaRecord is what Send does before sarama has the record.
func BenchmarkKafkaRecord(b *testing.B) {
	sink := openSink(b, newPool(b), kafkaDestination(kafkaSettings("kafka:9092", "orders-{type}"))).(*kafkaSink)
	e := testEvent("bench")
	e.Extensions = map[string]string{"partitionkey": "k"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sink.record(e); err != nil {
			b.Fatal(err)
		}
	}
}
