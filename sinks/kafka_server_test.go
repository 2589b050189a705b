package sinks

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
	"github.com/kong/keg/cloudevents"
	"github.com/kong/keg/sinks/sinktest"
)

// kafkaServer is an in-memory Kafka of one broker behind a wire.
type kafkaServer struct {
	*kfake.Cluster
	wire *sinktest.Wire
}

func startKafka(t testing.TB, opts ...kfake.Opt) *kafkaServer {
	t.Helper()
	wire, err := sinktest.Listen()
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(1),
		kfake.Ports(0),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return wire, nil }),
		kfake.AllowAutoTopicCreation(),
		kfake.DefaultNumPartitions(3),
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": "4194304"}),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return &kafkaServer{cluster, wire}
}

// settings are the defaults of routes.yaml with the server's address.
func (k *kafkaServer) settings(topic string) *Kafka {
	return kafkaSettings(k.wire.Addr().String(), topic)
}

func kafkaSettings(address, topic string) *Kafka {
	return &Kafka{
		Address: []string{address}, Topic: topic, Key: "{partitionkey}", Acks: "all", Compression: "none",
		Idempotent: true, ClientID: "keg", MaxMessageBytes: 1 << 20, AckTimeout: 10 * time.Second,
	}
}

// records reads a whole topic by a client that is not the one under test. A
// topic that is not there is empty.
func (k *kafkaServer) records(ctx context.Context, topic string) ([]*kgo.Record, error) {
	return readTopic(ctx, topic, kgo.SeedBrokers(k.wire.Addr().String()))
}

func readTopic(ctx context.Context, topic string, opts ...kgo.Opt) ([]*kgo.Record, error) {
	client, err := kgo.NewClient(append(opts, kgo.DisableClientMetrics())...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ends, err := endOffsets(ctx, client, topic)
	if err != nil {
		return nil, err
	}
	want := 0
	from := map[int32]kgo.Offset{}
	for partition, end := range ends {
		want += int(end)
		from[partition] = kgo.NewOffset().AtStart()
	}
	if want == 0 {
		return nil, nil
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: from})
	var got []*kgo.Record
	for len(got) < want {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return nil, fmt.Errorf("read %d of %d: %w", len(got), want, err)
		}
		got = append(got, fetches.Records()...)
	}
	return got, nil
}

func endOffsets(ctx context.Context, client *kgo.Client, topic string) (map[int32]int64, error) {
	about := kmsg.NewMetadataRequest()
	about.Topics = []kmsg.MetadataRequestTopic{{Topic: &topic}}
	known, err := about.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	ends := map[int32]int64{}
	if known.Topics[0].ErrorCode == kerr.UnknownTopicOrPartition.Code {
		return ends, nil
	}
	ask := kmsg.NewListOffsetsRequest()
	ask.ReplicaID = -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for _, p := range known.Topics[0].Partitions {
		x := kmsg.NewListOffsetsRequestTopicPartition()
		x.Partition, x.Timestamp = p.Partition, -1
		t.Partitions = append(t.Partitions, x)
	}
	ask.Topics = append(ask.Topics, t)
	answer, err := ask.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	for _, p := range answer.Topics[0].Partitions {
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			return nil, err
		}
		ends[p.Partition] = p.Offset
	}
	return ends, nil
}

// arrival is a record as the suite looks at it.
func arrival(r *kgo.Record) (sinktest.Arrival, error) {
	in := &cloudevents.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Brokers: "kafka:9092", Key: r.Key, Value: r.Value, Time: r.Timestamp}
	a := sinktest.Arrival{Body: r.Value, Headers: map[string][]string{}}
	for _, h := range r.Headers {
		in.Headers = append(in.Headers, cloudevents.Header{Key: h.Key, Value: h.Value})
		a.Headers[h.Key] = append(a.Headers[h.Key], string(h.Value))
	}
	var err error
	a.Event, err = cloudevents.FromKafka(in)
	return a, err
}

func newPool(t testing.TB) *Pool {
	t.Helper()
	p := NewPool(testLog(t))
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("closing the pool: %v", err)
		}
	})
	return p
}

func openSink(t testing.TB, p *Pool, d *keg.Destination) keg.Sink {
	t.Helper()
	sink, err := p.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sink.Close(); err != nil {
			t.Errorf("closing the sink: %v", err)
		}
	})
	return sink
}

func kafkaDestination(settings *Kafka) *keg.Destination {
	return &keg.Destination{Type: "kafka", Name: settings.Label(), Timeout: 10 * time.Second, Format: keg.FormatBinary, Settings: settings}
}

func testEvent(id string) *keg.Event {
	return &keg.Event{ID: id, Source: "/test", Type: "test.event", Data: []byte("data of " + id), DataContentType: "text/plain"}
}

func ctxOf(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}
