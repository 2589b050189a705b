package tail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/kong/keg/cloudevents"
)

// catchUp is how long the kept records may keep a tail waiting for one more.
const catchUp = 3 * time.Second

// kafka reads every partition of a topic, from Last before its end.
func kafka(ctx context.Context, brokers []string, topic string, o Options) error {
	config := sarama.NewConfig()
	config.ClientID = "keg-tail"
	config.Metadata.AllowAutoTopicCreation = false
	config.Metadata.Retry.Max = 1
	config.Net.DialTimeout = 5 * time.Second
	config.Consumer.Return.Errors = true
	client, err := sarama.NewClient(brokers, config)
	if err != nil {
		return fmt.Errorf("no Kafka broker answers at %v: %w", brokers, err)
	}
	defer client.Close()
	partitions, err := waitForTopic(ctx, client, topic, o)
	if err != nil || len(partitions) == 0 {
		return err
	}
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return err
	}
	defer consumer.Close()
	return readTopic(ctx, client, consumer, topic, partitions, o)
}

// waitForTopic returns the topic's partitions; while there is no such topic it
// waits, saying so once, because its first event makes it.
func waitForTopic(ctx context.Context, client sarama.Client, topic string, o Options) ([]int32, error) {
	told := false
	for {
		partitions, err := client.Partitions(topic)
		switch {
		case err == nil && len(partitions) > 0:
			return partitions, nil
		case err != nil && !errors.Is(err, sarama.ErrUnknownTopicOrPartition) && !errors.Is(err, sarama.ErrLeaderNotAvailable):
			return nil, fmt.Errorf("topic %q: %w", topic, err)
		case !o.Follow:
			return nil, fmt.Errorf("there is no topic %q", topic)
		case !told:
			told = true
			o.Log.Info("no such topic yet; waiting for its first event", "topic", topic)
		}
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(500 * time.Millisecond):
			_ = client.RefreshMetadata(topic)
		}
	}
}

// readTopic emits the last records of all partitions in order of their time,
// then what comes.
func readTopic(ctx context.Context, client sarama.Client, consumer sarama.Consumer, topic string, partitions []int32, o Options) error {
	records := make(chan *sarama.ConsumerMessage)
	ends := map[int32]int64{} // the offset at which a partition's kept records end
	starts := map[int32]int64{}
	for _, p := range partitions {
		oldest, err := client.GetOffset(topic, p, sarama.OffsetOldest)
		if err != nil {
			return fmt.Errorf("topic %q, partition %d: %w", topic, p, err)
		}
		newest, err := client.GetOffset(topic, p, sarama.OffsetNewest)
		if err != nil {
			return fmt.Errorf("topic %q, partition %d: %w", topic, p, err)
		}
		starts[p], ends[p] = max(oldest, newest-int64(o.Last)), newest
	}
	ctx, cancel := context.WithCancel(ctx)
	var readers sync.WaitGroup
	defer readers.Wait()
	defer cancel()
	for _, p := range partitions {
		reader, err := consumer.ConsumePartition(topic, p, starts[p])
		if err != nil {
			return fmt.Errorf("topic %q, partition %d: %w", topic, p, err)
		}
		readers.Go(func() { forward(ctx, reader, records, o) })
	}
	var kept []*sarama.ConsumerMessage
	for p := range ends {
		if starts[p] >= ends[p] {
			delete(ends, p)
		}
	}
	for len(ends) > 0 {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(catchUp): // the last offsets of a partition may hold no record
			clear(ends)
		case r := <-records:
			kept = append(kept, r)
			if end, ok := ends[r.Partition]; ok && r.Offset+1 >= end {
				delete(ends, r.Partition)
			}
		}
	}
	slices.SortStableFunc(kept, func(a, b *sarama.ConsumerMessage) int { return a.Timestamp.Compare(b.Timestamp) })
	for _, r := range kept[max(0, len(kept)-o.Last):] {
		emitRecord(r, o)
	}
	for o.Follow {
		select {
		case <-ctx.Done():
			return nil
		case r := <-records:
			emitRecord(r, o)
		}
	}
	return nil
}

// forward passes one partition on until ctx ends, and logs what goes wrong; sarama
// itself tries again.
func forward(ctx context.Context, reader sarama.PartitionConsumer, to chan<- *sarama.ConsumerMessage, o Options) {
	defer reader.AsyncClose()
	for {
		select {
		case <-ctx.Done():
			return
		case err, ok := <-reader.Errors():
			if !ok {
				return
			}
			o.Log.Warn("reading failed; trying again", "error", err.Err, "partition", err.Partition)
		case r, ok := <-reader.Messages():
			if !ok {
				return
			}
			select {
			case to <- r:
			case <-ctx.Done():
				return
			}
		}
	}
}

func emitRecord(r *sarama.ConsumerMessage, o Options) {
	record := &cloudevents.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Time: r.Timestamp}
	for _, h := range r.Headers {
		record.Headers = append(record.Headers, cloudevents.Header{Key: string(h.Key), Value: h.Value})
	}
	place := fmt.Sprintf("%s[%d]@%d", r.Topic, r.Partition, r.Offset)
	event, err := cloudevents.FromKafka(record)
	if err != nil {
		o.Log.Warn("a record that cannot be read as an event", "place", place, "error", err)
		return
	}
	o.Emit(Item{event, place})
}
