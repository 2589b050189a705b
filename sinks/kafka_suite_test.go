package sinks

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

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
		Type: "kafka",
		Open: pool.Open,
		Settings: func() keg.Settings {
			settings := server.settings("orders")
			settings.MaxMessageBytes = 2 << 20
			return settings
		},
		Wire:    server.wire,
		Formats: kafkaKind().Formats,
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
		Headers:  true,
		Refusals: kafkaRefusals(server),
	}
}

func kafkaRefusals(server *kafkaServer) []sinktest.Refusal {
	tooLarge := func(r sinktest.Refusal) sinktest.Refusal {
		r.TooLarge = true
		return r
	}
	// answers makes the broker answer the next records with an error's code.
	answers := func(name string, code int16) sinktest.Refusal {
		return sinktest.Refusal{
			Name: name,
			Begin: func() {
				server.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
					return refuseRecords(r.(*kmsg.ProduceRequest), code), nil, true
				})
			},
		}
	}
	return []sinktest.Refusal{
		tooLarge(answers("the broker finds the record too large", kerr.MessageTooLarge.Code)),
		answers("the broker finds the record invalid", kerr.InvalidRecord.Code),
		answers("not authorized for the topic", kerr.TopicAuthorizationFailed.Code),
		answers("a policy forbids it", kerr.PolicyViolation.Code),
		tooLarge(sinktest.Refusal{
			Name:  "a record larger than max_message_bytes",
			Event: func(e *keg.Event) { e.Data = make([]byte, 2<<20) },
		}),
		{
			Name:     "an attribute that no topic may hold",
			Settings: func() keg.Settings { return server.settings("orders-{type}") },
			Event:    func(e *keg.Event) { e.Type = "a/b" },
		},
		{
			Name:     "no attribute for the topic",
			Settings: func() keg.Settings { return server.settings("orders-{nowhere}") },
		},
	}
}

func refuseRecords(r *kmsg.ProduceRequest, code int16) *kmsg.ProduceResponse {
	answer := r.ResponseKind().(*kmsg.ProduceResponse)
	for _, topic := range r.Topics {
		t := kmsg.NewProduceResponseTopic()
		t.Topic, t.TopicID = topic.Topic, topic.TopicID
		for _, partition := range topic.Partitions {
			p := kmsg.NewProduceResponseTopicPartition()
			p.Partition, p.ErrorCode = partition.Partition, code
			t.Partitions = append(t.Partitions, p)
		}
		answer.Topics = append(answer.Topics, t)
	}
	return answer
}
