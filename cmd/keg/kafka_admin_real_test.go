//go:build real

package main

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/google/uuid"
)

func uniqueTopic(name string) string { return name + "-" + uuid.NewString()[:8] }

// administer does something to the cluster, as soon as it answers.
func administer(t *testing.T, what string, act func(sarama.ClusterAdmin) error) {
	t.Helper()
	config := sarama.NewConfig()
	config.Version = sarama.V2_8_0_0
	var err error
	for range 60 {
		var admin sarama.ClusterAdmin
		if admin, err = sarama.NewClusterAdmin([]string{service(t, "KEG_TEST_KAFKA")}, config); err == nil {
			err = act(admin)
			_ = admin.Close()
		}
		if err == nil {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Fatalf("%s: %v", what, err)
}

// makeTopic makes a topic, or finds it made.
func makeTopic(t *testing.T, topic string, partitions int32, config map[string]string) {
	t.Helper()
	entries := map[string]*string{}
	for name, value := range config {
		entries[name] = &value
	}
	administer(t, "making a topic", func(a sarama.ClusterAdmin) error {
		err := a.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: entries}, false)
		if errors.Is(err, sarama.ErrTopicAlreadyExists) {
			return nil
		}
		return err
	})
}

func removeTopic(t *testing.T, topic string) {
	t.Helper()
	administer(t, "removing a topic", func(a sarama.ClusterAdmin) error {
		err := a.DeleteTopic(topic)
		if errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
			return nil
		}
		return err
	})
}

func setTopic(t *testing.T, topic, name, value string) {
	t.Helper()
	administer(t, "changing a topic", func(a sarama.ClusterAdmin) error {
		return a.AlterConfig(sarama.TopicResource, topic, map[string]*string{name: &value}, false)
	})
}

// producing is a load of events on a topic, with ids key/number whose key is the
// record's, so that a key's numbers are in the order of its partition.
type producing struct {
	mu   sync.Mutex
	sent []string // what the broker has taken
	stop func()
}

func startProducing(t *testing.T, topic string, keys int, pause time.Duration) *producing {
	t.Helper()
	config := sarama.NewConfig()
	config.Version = sarama.V2_8_0_0
	config.Producer.Return.Successes = true
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	config.Producer.RequiredAcks = sarama.WaitForAll
	producer, err := sarama.NewSyncProducer([]string{service(t, "KEG_TEST_KAFKA")}, config)
	do(t, err)
	p, name := &producing{}, uuid.NewString()[:4]
	ended := make(chan struct{})
	var all sync.WaitGroup
	for k := range keys {
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-ended:
					return
				case <-time.After(pause):
				}
				key := fmt.Sprintf("%s-%02d", name, k)
				id := fmt.Sprintf("%s/%06d", key, i)
				if _, _, err := producer.SendMessage(cloudEvent(topic, key, id)); err != nil {
					t.Errorf("producing %s: %v", id, err)
					return
				}
				p.mu.Lock()
				p.sent = append(p.sent, id)
				p.mu.Unlock()
			}
		})
	}
	p.stop = sync.OnceFunc(func() { close(ended); all.Wait(); _ = producer.Close() })
	t.Cleanup(p.stop)
	return p
}

func cloudEvent(topic, key, id string) *sarama.ProducerMessage {
	header := func(name, value string) sarama.RecordHeader {
		return sarama.RecordHeader{Key: []byte(name), Value: []byte(value)}
	}
	return &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder(key), Value: sarama.StringEncoder(`{"n":1}`), Headers: []sarama.RecordHeader{
		header("ce_specversion", "1.0"), header("ce_id", id), header("ce_source", "test"), header("ce_type", "order.created"),
		header("ce_partitionkey", key), header("content-type", "application/json"),
	}}
}

func (p *producing) ids() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.sent...)
}

// kafkaRoute sends everything to one topic.
func kafkaRoute(t *testing.T, topic string) string {
	return fmt.Sprintf("routes: [{name: all, match: {}, destinations: [{type: kafka, address: %q, topic: %s}]}]\n", service(t, "KEG_TEST_KAFKA"), topic)
}
