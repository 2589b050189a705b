//go:build linux

package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/IBM/sarama"
)

// kafka is the real broker of test/services/run, and a topic of its own.
type kafka struct {
	client sarama.Client
	topic  string
}

// newKafka makes a topic with so many partitions.
func newKafka(address, topic string, partitions int32) (*kafka, error) {
	config := sarama.NewConfig()
	config.Producer.Return.Successes = true
	config.Producer.Idempotent, config.Net.MaxOpenRequests, config.Producer.RequiredAcks = true, 1, sarama.WaitForAll
	client, err := sarama.NewClient(strings.Split(address, ","), config)
	if err != nil {
		return nil, err
	}
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err == nil {
		err = admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false)
	}
	if err != nil {
		_ = client.Close()
		return nil, err
	}
	return &kafka{client, topic}, nil
}

func (k *kafka) close() { _ = k.client.Close() }

// produce writes the events 1 to n as binary CloudEvents, and returns when the
// broker has them.
func (k *kafka) produce(e *events, n int) error {
	producer, err := sarama.NewAsyncProducerFromClient(k.client)
	if err != nil {
		return err
	}
	go func() {
		for i := 1; i <= n; i++ {
			producer.Input() <- &sarama.ProducerMessage{Topic: k.topic, Value: sarama.ByteEncoder(bytes.Clone(e.make(i))), Headers: []sarama.RecordHeader{
				header("ce_specversion", "1.0"), header("ce_id", e.id(i)), header("ce_source", "//bench"), header("ce_type", eventType),
				header("content-type", "application/json"),
			}}
		}
		producer.AsyncClose()
	}()
	failed := make(chan error, 1)
	go func() {
		var first error
		for err := range producer.Errors() {
			if first == nil {
				first = err
			}
		}
		failed <- first
	}()
	written := 0
	for range producer.Successes() {
		written++
	}
	if err := <-failed; err != nil {
		return fmt.Errorf("%d of %d records were written: %w", written, n, err)
	}
	return nil
}

func header(key, value string) sarama.RecordHeader {
	return sarama.RecordHeader{Key: []byte(key), Value: []byte(value)}
}

// consume notes what comes to the topic, from its first record on, until the
// returned function is called.
func (k *kafka) consume(l *ledger) (stop func(), err error) {
	consumer, err := sarama.NewConsumerFromClient(k.client)
	if err != nil {
		return nil, err
	}
	partitions, err := consumer.Partitions(k.topic)
	if err != nil {
		return nil, err
	}
	var reading []sarama.PartitionConsumer
	stop = func() {
		for _, p := range reading {
			p.AsyncClose()
		}
		_ = consumer.Close()
	}
	for _, partition := range slices.Sorted(slices.Values(partitions)) {
		p, err := consumer.ConsumePartition(k.topic, partition, sarama.OffsetOldest)
		if err != nil {
			stop()
			return nil, err
		}
		reading = append(reading, p)
		go func() {
			for record := range p.Messages() {
				l.take(record.Value)
			}
		}()
	}
	return stop, nil
}
