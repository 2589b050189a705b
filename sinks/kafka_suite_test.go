package sinks

import (
	"context"
	"testing"

	"github.com/kong/keg"
	"github.com/kong/keg/sinks/sinktest"
)

func TestKafkaKeepsTheContractOfASink(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) *sinktest.Target {
		server := startKafka(t)
		return kafkaTarget(t, server)
	})
}

func kafkaTarget(t *testing.T, server *kafkaServer) *sinktest.Target {
	pool := newPool(t)
	return &sinktest.Target{
		Type:     "kafka",
		Open:     pool.Open,
		Settings: func() keg.Settings { return server.settings("orders") },
		Wire:     server.wire,
		Formats:  kafkaKind().Formats,
		Arrived: func(ctx context.Context) ([]sinktest.Arrival, error) {
			records, err := server.records(ctx, "orders")
			var arrivals []sinktest.Arrival
			for _, r := range records {
				a, err := arrival(r)
				if err != nil {
					return nil, err
				}
				arrivals = append(arrivals, a)
			}
			return arrivals, err
		},
		FixedHeaders: true,
	}
}
