package sources

import (
	"bytes"
	"context"

	"github.com/IBM/sarama"

	"github.com/kong/keg/cloudevents"
)

// maxBatchBytes bounds the bytes of one call, beside max_in_flight.
const maxBatchBytes = 8 << 20

// Setup is called by sarama when a session begins, before any partition is read.
func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	if err := m.source.at.settle(m.client, session, m.source); err != nil {
		return err
	}
	m.inSession.Store(true)
	m.source.trouble.over("the Kafka source reads again", "source", m.source.name)
	m.source.log.Info("the Kafka source reads", "source", m.source.name, "partitions", session.Claims())
	return nil
}

// Cleanup is called by sarama when every partition of a session has been let go,
// before it commits.
func (m *member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// ConsumeClaim reads one partition, for as long as it is this member's. It is
// called by sarama, in a goroutine of its own for each.
func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	stop := session.Context()
	calls, done := outliving(stop, m.source.grace)
	defer done()
	trouble := &complaint{log: m.source.log}
	for {
		batch := m.batch(stop, claim)
		if len(batch) == 0 {
			return nil
		}
		items := make([]item, len(batch))
		for i, record := range batch {
			items[i] = m.read(record)
		}
		safe := m.hand.settle(stop, calls, items, trouble)
		if safe > 0 {
			session.MarkOffset(claim.Topic(), claim.Partition(), batch[safe-1].Offset+1, "")
		}
		if safe < len(batch) {
			return nil
		}
		m.source.trouble.quiet(complainLeast*5, "the Kafka source reads again", "source", m.source.name)
	}
}

// batch waits for a record and takes what is there behind it; none means that
// the partition is to be let go.
func (m *member) batch(stop context.Context, claim sarama.ConsumerGroupClaim) []*sarama.ConsumerMessage {
	if stop.Err() != nil {
		return nil
	}
	var batch []*sarama.ConsumerMessage
	size := 0
	add := func(record *sarama.ConsumerMessage) bool {
		batch = append(batch, record)
		size += len(record.Value)
		return len(batch) < m.source.settings.MaxInFlight && size < maxBatchBytes
	}
	select {
	case record, ok := <-claim.Messages():
		if !ok || !add(record) {
			return batch
		}
	case <-stop.Done():
		return nil
	}
	for {
		select {
		case record, ok := <-claim.Messages():
			if !ok || !add(record) {
				return batch
			}
		default:
			return batch
		}
	}
}

// read makes an event of a record, or a dead letter.
func (m *member) read(record *sarama.ConsumerMessage) item {
	r := &cloudevents.Record{
		Topic: record.Topic, Partition: record.Partition, Offset: record.Offset, Brokers: m.source.brokers,
		Key: record.Key, Time: record.Timestamp, Headers: make([]cloudevents.Header, 0, len(record.Headers)),
		// The value is a part of all that one fetch brought, which an event that
		// waits for long must not hold on to.
		Value: bytes.Clone(record.Value),
	}
	size := len(record.Key) + len(record.Value)
	for _, h := range record.Headers {
		r.Headers = append(r.Headers, cloudevents.Header{Key: string(h.Key), Value: h.Value})
		size += len(h.Key) + len(h.Value)
	}
	it := item{at: location{topic: record.Topic, record: true, partition: record.Partition, offset: record.Offset}}
	return it.ofRecord(r, size, m.source.maxBytes)
}
