package sinks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kong/keg"
)

func produceFault(err *kerr.Error, count int) kfake.Fault {
	return kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: err, Count: count}
}

// values are the values of a topic's records, with how often each is there.
func (k *kafkaServer) values(t *testing.T, topic string) map[string]int {
	t.Helper()
	records, err := k.records(ctxOf(t, 20*time.Second), topic)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]int{}
	for _, r := range records {
		values[string(r.Value)]++
	}
	return values
}

func TestABrokersPassingErrorIsMendedWithinTheSend(t *testing.T) {
	for _, fault := range []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.LeaderNotAvailable, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend,
		kerr.RequestTimedOut, kerr.KafkaStorageError, kerr.UnknownTopicOrPartition, kerr.CorruptMessage,
	} {
		t.Run(fault.Message, func(t *testing.T) {
			server := startKafka(t)
			sink := openSink(t, newPool(t), kafkaDestination(server.settings("orders")))
			server.Fault(produceFault(fault, 1))
			if err := sink.Send(ctxOf(t, 10*time.Second), testEvent("1")); err != nil {
				t.Fatalf("Send: %v", err)
			}
			if got := server.values(t, "orders"); got["data of 1"] != 1 || len(got) != 1 {
				t.Errorf("the topic holds %v", got)
			}
		})
	}
}

// The broker appends the record and says that it did not know in time. Only the
// number that the record carries keeps it from being there twice.
func TestIdempotenceKeepsARepeatOut(t *testing.T) {
	for idempotent, want := range map[bool]int{true: 1, false: 2} {
		t.Run(fmt.Sprintf("idempotent %v", idempotent), func(t *testing.T) {
			server := startKafka(t)
			settings := server.settings("orders")
			settings.Idempotent = idempotent
			sink := openSink(t, newPool(t), kafkaDestination(settings))
			server.Fault(produceFault(kerr.NotEnoughReplicasAfterAppend, 1))
			if err := sink.Send(ctxOf(t, 10*time.Second), testEvent("1")); err != nil {
				t.Fatalf("Send: %v", err)
			}
			if got := server.values(t, "orders"); got["data of 1"] != want {
				t.Errorf("the topic holds %v, want %d", got, want)
			}
		})
	}
}

func TestABrokersLastingErrorIsNotForGood(t *testing.T) {
	for fault, want := range map[*kerr.Error]string{
		kerr.NotLeaderForPartition: "outage", kerr.LeaderNotAvailable: "outage", kerr.NotEnoughReplicas: "outage",
		kerr.NotEnoughReplicasAfterAppend: "outage", kerr.KafkaStorageError: "outage",
		kerr.RequestTimedOut: "transient", kerr.UnknownTopicOrPartition: "transient",
		kerr.OutOfOrderSequenceNumber: "transient", kerr.InvalidProducerEpoch: "transient", kerr.UnknownProducerID: "transient",
		kerr.ProducerFenced: "transient", kerr.UnknownServerError: "transient", kerr.ThrottlingQuotaExceeded: "transient",
	} {
		t.Run(fault.Message, func(t *testing.T) {
			t.Parallel() // they wait, and have a server each
			server := startKafka(t)
			sink := openSink(t, newPool(t), kafkaDestination(server.settings("orders")))
			lasting := server.Fault(produceFault(fault, -1))
			for range 3 {
				err := sink.Send(ctxOf(t, 10*time.Second), testEvent("1"))
				if class(err) != want || ctxEnded(err) {
					t.Fatalf("Send: %v is %s, want %s, by an error of Kafka's", err, class(err), want)
				}
			}
			lasting.Remove()
			if err := sink.Send(ctxOf(t, 10*time.Second), testEvent("2")); err != nil {
				t.Errorf("Send when it had passed: %v", err)
			}
			if got := server.values(t, "orders"); got["data of 2"] != 1 {
				t.Errorf("the topic holds %v", got)
			}
		})
	}
}

func ctxEnded(err error) bool { return strings.Contains(err.Error(), context.DeadlineExceeded.Error()) }

// Brokers close connections that are idle, after ten minutes by default.
func TestAConnectionThatTheBrokerClosedIsNoticedWithinTheSend(t *testing.T) {
	server := startKafka(t)
	sink := openSink(t, newPool(t), kafkaDestination(server.settings("orders")))
	for i := range 5 {
		if err := sink.Send(ctxOf(t, 10*time.Second), testEvent(fmt.Sprint(i))); err != nil {
			t.Fatalf("Send %d: %v", i, err)
		}
		server.wire.Cut()
		server.wire.Mend()
	}
	if got := server.values(t, "orders"); len(got) != 5 {
		t.Errorf("the topic holds %v", got)
	}
}

// Left to itself, sarama would refuse records for ten seconds more.
func TestAClusterThatIsBackIsFoundAtOnce(t *testing.T) {
	server := startKafka(t)
	sink := openSink(t, newPool(t), kafkaDestination(server.settings("orders")))
	if err := sink.Send(ctxOf(t, 10*time.Second), testEvent("before")); err != nil {
		t.Fatal(err)
	}
	server.wire.Cut()
	// What is under way when the connections break may have arrived.
	if err := sink.Send(ctxOf(t, 10*time.Second), testEvent("away")); err == nil || keg.IsPermanent(err) || ctxEnded(err) {
		t.Fatalf("Send: %v, want an error of Kafka's that is not for good", err)
	}
	for range 6 {
		if err := sink.Send(ctxOf(t, 10*time.Second), testEvent("away")); class(err) != "outage" || ctxEnded(err) {
			t.Fatalf("Send: %v is %s, want an outage by an error of Kafka's", err, class(err))
		}
	}
	server.wire.Mend()
	if err := sink.Send(ctxOf(t, 5*time.Second), testEvent("back")); err != nil {
		t.Errorf("the first Send when it was back: %v", err)
	}
}

// sarama tries for seconds to reach a broker. A Send that has less time must not
// take the outage for the record's fault.
func TestASendThatEndsBeforeSaramaGivesUpTellsOfTheOutage(t *testing.T) {
	server := startKafka(t)
	sink := openSink(t, newPool(t), kafkaDestination(server.settings("orders")))
	if err := sink.Send(ctxOf(t, 10*time.Second), testEvent("before")); err != nil {
		t.Fatal(err)
	}
	if err := server.wire.Close(); err != nil {
		t.Fatal(err)
	}
	cutShort := 0
	for range 10 {
		err := sink.Send(ctxOf(t, 100*time.Millisecond), testEvent("away"))
		if class(err) != "outage" {
			t.Fatalf("Send: %v is %s, want an outage", err, class(err))
		}
		if errors.Is(err, context.DeadlineExceeded) {
			cutShort++
		}
	}
	if cutShort == 0 {
		t.Error("sarama was faster each time")
	}
}

// A broker whose limit is lower than max_message_bytes refuses whole batches.
// The small records in them are not to blame.
func TestSmallRecordsOutliveABatchThatIsTooLarge(t *testing.T) {
	server := startKafka(t)
	sink := openSink(t, newPool(t), kafkaDestination(server.settings("orders")))
	if err := sink.Send(ctxOf(t, 10*time.Second), testEvent("first")); err != nil {
		t.Fatal(err)
	}
	server.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.MessageTooLarge, Count: -1,
		When: func(r kmsg.Request) bool {
			for _, topic := range r.(*kmsg.ProduceRequest).Topics {
				for _, p := range topic.Partitions {
					if len(p.Records) > 4000 {
						return true
					}
				}
			}
			return false
		},
	})
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			e := testEvent(fmt.Sprint(i))
			e.Data = []byte(strings.Repeat(fmt.Sprintf("%02d", i), 200))
			if err := sink.Send(ctxOf(t, 20*time.Second), e); err != nil {
				t.Errorf("Send: %v: this record is small enough, and must not pay for its neighbours", err)
			}
		})
	}
	group.Wait()
	if got := server.values(t, "orders"); len(got) != 65 {
		t.Errorf("%d events arrived, want 65", len(got))
	}
	// Large ones among small ones: each hears of itself.
	for i := range 64 {
		group.Go(func() {
			e, want := testEvent(fmt.Sprint(i)), "taken"
			if i%4 == 0 {
				e.Data, want = make([]byte, 5000), "too large"
			}
			if err := sink.Send(ctxOf(t, 20*time.Second), e); class(err) != want {
				t.Errorf("Send of %d bytes: %v is %s, want %s", len(e.Data), err, class(err), want)
			}
		})
	}
	group.Wait()
}

// Events may name topics, and each costs the client two goroutines for life.
func TestTopicsThatEventsNameDoNotPileUp(t *testing.T) {
	server := startKafka(t, kfake.DefaultNumPartitions(1))
	pool := newPool(t)
	sink := openSink(t, pool, kafkaDestination(server.settings("t-{id}"))).(*kafkaSink)
	var group sync.WaitGroup
	var mu sync.Mutex
	producers := map[*producer]bool{}
	for s := range 8 {
		group.Go(func() {
			for i := range (maxTopics + 200) / 8 {
				if err := sink.Send(ctxOf(t, 20*time.Second), testEvent(fmt.Sprintf("%d-%d", s, i))); err != nil {
					t.Errorf("Send: %v", err)
					return
				}
				p, err := sink.lease.client(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				p.topicsMu.Lock()
				n := len(p.topics)
				p.topicsMu.Unlock()
				if n > maxTopics {
					t.Errorf("one producer has %d topics", n)
				}
				mu.Lock()
				producers[p] = true
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if len(producers) != 2 || pool.Clients() != 1 {
		t.Errorf("%d producers one after the other, %d now; want 2 and 1", len(producers), pool.Clients())
	}
}
