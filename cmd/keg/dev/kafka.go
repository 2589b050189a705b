package dev

import (
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Kafka is an in-memory Kafka of one broker that makes a topic when somebody
// writes to it, and forgets the oldest records of a partition over 16 MiB.
type Kafka struct {
	cluster *kfake.Cluster
	address string
	stop    chan struct{}
	stopped chan struct{}
}

const (
	mostKept = 16 << 20 // of a partition, in bytes
	segment  = 4 << 20  // what is forgotten at a time, or more
)

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
			"log.retention.bytes": fmt.Sprint(mostKept),
			"log.segment.bytes":   fmt.Sprint(segment),
			"message.max.bytes":   fmt.Sprint(4 << 20),
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("in-memory Kafka: %w", err)
	}
	k := &Kafka{cluster, addr.String(), make(chan struct{}), make(chan struct{})}
	go k.forget()
	return k, nil
}

// forget applies the retention every second: kfake by itself does so for topics
// with a retention of their own alone.
func (k *Kafka) forget() {
	defer close(k.stopped)
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		select {
		case <-every.C:
			k.cluster.ApplyRetention()
		case <-k.stop:
			return
		}
	}
}

// Addr is where the broker listens, host:port.
func (k *Kafka) Addr() string { return k.address }

// Close stops the broker and forgets every topic.
func (k *Kafka) Close() {
	close(k.stop)
	<-k.stopped
	k.cluster.Close()
}
