package dev

import (
	"fmt"
	"net"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Kafka is an in-memory Kafka of one broker that makes a topic when somebody
// writes to it, and forgets the oldest records of a partition over 64 MiB.
type Kafka struct {
	cluster *kfake.Cluster
	address string
}

// StartKafka listens on address (host:port; port 0 picks one).
func StartKafka(address string) (*Kafka, error) {
	var addr net.Addr
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.Ports(0), // one broker; its address is chosen below
		kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			l, err := net.Listen(network, address)
			if err == nil {
				addr = l.Addr()
			}
			return l, err
		}),
		kfake.AllowAutoTopicCreation(),
		kfake.DefaultNumPartitions(3),
		kfake.BrokerConfigs(map[string]string{
			"log.retention.bytes": fmt.Sprint(64 << 20),
			"message.max.bytes":   fmt.Sprint(4 << 20),
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("in-memory Kafka: %w", err)
	}
	return &Kafka{cluster, addr.String()}, nil
}

// Addr is where the broker listens, host:port.
func (k *Kafka) Addr() string { return k.address }

// Close stops the broker and forgets every topic.
func (k *Kafka) Close() { k.cluster.Close() }
