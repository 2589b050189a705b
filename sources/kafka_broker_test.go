package sources

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kong/keg"
	"github.com/kong/keg/sinks/sinktest"
)

// cluster is a Kafka, in this process or a real one, and a client that is not
// the one under test.
type cluster struct {
	address string
	client  *kgo.Client
	// Of one in this process:
	fake *kfake.Cluster
	wire *sinktest.Wire
}

func startCluster(t testing.TB, opts ...kfake.Opt) *cluster {
	t.Helper()
	wire, err := sinktest.Listen()
	if err != nil {
		t.Fatal(err)
	}
	fake, err := kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(1), kfake.Ports(0),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return wire, nil }),
		kfake.DefaultNumPartitions(3),
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": "8388608", "group.initial.rebalance.delay.ms": "0"}),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	c := joinCluster(t, wire.Addr().String())
	c.fake, c.wire = fake, wire
	return c
}

func joinCluster(t testing.TB, address string, opts ...kgo.Opt) *cluster {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(address), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DisableClientMetrics(),
		kgo.MetadataMinAge(50*time.Millisecond))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &cluster{address: address, client: client}
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// settings reads topics from the beginning.
func (c *cluster) settings(topics ...string) *KafkaSettings {
	return &KafkaSettings{Address: []string{c.address}, Topics: topics, Group: "keg", ClientID: "keg", Start: "oldest", MaxInFlight: 500}
}

func (c *cluster) config(topics ...string) keg.SourceConfig {
	return config("kafka", c.settings(topics...))
}

func (c *cluster) create(t testing.TB, topic string, partitions int32) {
	t.Helper()
	ask := kmsg.NewCreateTopicsRequest()
	ask.TimeoutMillis = 20_000
	of := kmsg.NewCreateTopicsRequestTopic()
	of.Topic, of.NumPartitions, of.ReplicationFactor = topic, partitions, 1
	ask.Topics = append(ask.Topics, of)
	await(t, "the topic is made", func() bool { // one that was deleted may go slowly
		answer, err := ask.RequestWith(within(t, 30*time.Second), c.client)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Topics[0].ErrorCode == kerr.TopicAlreadyExists.Code {
			time.Sleep(100 * time.Millisecond)
			return false
		}
		if err := kerr.ErrorForCode(answer.Topics[0].ErrorCode); err != nil {
			t.Fatal(err)
		}
		return true
	})
}

func (c *cluster) remove(t testing.TB, topic string) {
	t.Helper()
	ask := kmsg.NewDeleteTopicsRequest()
	ask.TimeoutMillis, ask.TopicNames = 20_000, []string{topic}
	of := kmsg.NewDeleteTopicsRequestTopic()
	of.Topic = &topic
	ask.Topics = append(ask.Topics, of)
	answer, err := ask.RequestWith(within(t, 30*time.Second), c.client)
	if err != nil {
		t.Fatal(err)
	}
	if err := kerr.ErrorForCode(answer.Topics[0].ErrorCode); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) grow(t testing.TB, topic string, partitions int32) {
	t.Helper()
	ask := kmsg.NewCreatePartitionsRequest()
	ask.TimeoutMillis = 20_000
	of := kmsg.NewCreatePartitionsRequestTopic()
	of.Topic, of.Count = topic, partitions
	ask.Topics = append(ask.Topics, of)
	answer, err := ask.RequestWith(within(t, 30*time.Second), c.client)
	if err != nil {
		t.Fatal(err)
	}
	if err := kerr.ErrorForCode(answer.Topics[0].ErrorCode); err != nil {
		t.Fatal(err)
	}
}

// truncate deletes a partition's records before an offset.
func (c *cluster) truncate(t testing.TB, topic string, partition int32, before int64) {
	t.Helper()
	ask := kmsg.NewDeleteRecordsRequest()
	ask.TimeoutMillis = 20_000
	of := kmsg.NewDeleteRecordsRequestTopic()
	of.Topic = topic
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Partition, p.Offset = partition, before
	of.Partitions = append(of.Partitions, p)
	ask.Topics = append(ask.Topics, of)
	answer := c.client.RequestSharded(within(t, 30*time.Second), &ask)
	for _, shard := range answer {
		if shard.Err != nil {
			t.Fatal(shard.Err)
		}
	}
}

// committed is a group's offset, -1 where there is none.
func (c *cluster) committed(t testing.TB, topic string, partition int32) int64 {
	t.Helper()
	ask := kmsg.NewOffsetFetchRequest()
	ask.Group = "keg"
	of := kmsg.NewOffsetFetchRequestTopic()
	of.Topic, of.Partitions = topic, []int32{partition}
	ask.Topics = append(ask.Topics, of)
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group = "keg"
	g := kmsg.NewOffsetFetchRequestGroupTopic()
	g.Topic, g.Partitions = topic, []int32{partition}
	group.Topics = append(group.Topics, g)
	ask.Groups = append(ask.Groups, group)
	answer, err := ask.RequestWith(within(t, 30*time.Second), c.client)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range answer.Groups {
		for _, topic := range g.Topics {
			return topic.Partitions[0].Offset
		}
	}
	for _, topic := range answer.Topics {
		return topic.Partitions[0].Offset
	}
	return -1
}

// event is a record of the CloudEvent with that id.
func event(topic string, partition int32, id string) *kgo.Record {
	return &kgo.Record{Topic: topic, Partition: partition, Value: []byte("data of " + id), Headers: []kgo.RecordHeader{
		{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "ce_id", Value: []byte(id)},
		{Key: "ce_source", Value: []byte("/test")}, {Key: "ce_type", Value: []byte("test.event")},
	}}
}

func (c *cluster) produce(t testing.TB, records ...*kgo.Record) {
	t.Helper()
	if err := c.client.ProduceSync(within(t, time.Minute), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// events produces the events from and up to, over some partitions in turn.
func (c *cluster) events(t testing.TB, topic string, partitions, from, to int) {
	t.Helper()
	var records []*kgo.Record
	for i := from; i < to; i++ {
		records = append(records, event(topic, int32(i%partitions), fmt.Sprint(i)))
	}
	c.produce(t, records...)
}
