package sources

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/kong/keg/clients"
	"github.com/kong/keg/test/logtest"
)

func TestATopicThatIsNotThereIsWaitedForAndHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	c.create(t, "a", 1)
	c.events(t, "a", 1, 0, 5)
	var s store
	var log logtest.Log
	settings := c.settings("later", "a")
	settings.Start = "newest" // what comes to a topic that was waited for is new
	stop := background(t, openTest(t, config("kafka", settings), Options{Log: log.Logger()}), &s)
	log.Await(t, "a topic is not there; the source waits for it", 1)
	await(t, "a session", func() bool { return len(log.Lines(`msg="the Kafka source reads"`)) == 1 })
	c.events(t, "a", 1, 5, 10)
	s.await(t, 5)
	c.create(t, "later", 1)
	c.events(t, "later", 1, 10, 20)
	s.await(t, 15)
	log.Await(t, "every topic is there", 1)
	stop()
	if got := s.ids(); len(got) != 15 || slices.Contains(got, "4") {
		t.Errorf("%v", got)
	}
}

func TestAPartitionThatIsAddedIsReadFromItsFirstRecord(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	c.create(t, "a", 1)
	settings := c.settings("a")
	settings.Start = "newest"
	var s store
	var log logtest.Log
	source := openTest(t, config("kafka", settings), Options{Log: log.Logger()})
	source.(*kafka).refresh = 200 * time.Millisecond
	stop := background(t, source, &s)
	log.Await(t, "the Kafka source reads", 1)
	c.grow(t, "a", 2)
	await(t, "the client knows the new partition", func() bool {
		return c.client.ProduceSync(context.Background(), event("a", 1, "1")).FirstErr() == nil
	})
	s.await(t, 1)
	stop()
	if got := s.ids(); !slices.Equal(got, []string{"1"}) {
		t.Errorf("%v", got)
	}
}

// The place where a group begins is committed before it reads, so that what
// comes before its first commit of a record is not skipped by the next start.
func TestANewestStartIsWhereItWasAfterACrash(t *testing.T) {
	c := startCluster(t)
	c.create(t, "a", 1)
	c.events(t, "a", 1, 0, 7)
	settings := c.settings("a")
	settings.Start = "newest"
	var log logtest.Log
	var s store
	stop := background(t, openTest(t, config("kafka", settings), Options{Log: log.Logger()}), &s)
	log.Await(t, "the Kafka source reads", 1)
	await(t, "the place is committed", func() bool { return c.committed(t, "a", 0) == 7 })
	stop()
	c.events(t, "a", 1, 7, 9)
	stop = background(t, openTest(t, config("kafka", settings), Options{}), &s)
	s.await(t, 2)
	stop()
	if got := s.ids(); !slices.Equal(got, []string{"7", "8"}) {
		t.Errorf("%v", got)
	}
}

func TestAClusterThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	c.create(t, "a", 1)
	c.events(t, "a", 1, 0, 5)
	for name, gone := range map[string]func(){"refuses": c.wire.Cut, "is silent": c.wire.Hang} {
		t.Run(name, func(t *testing.T) {
			gone()
			defer c.wire.Mend()
			// ctx's end is heard though nobody answers.
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- openTest(t, c.config("a"), Options{}).Run(ctx, &store{}) }()
			time.Sleep(50 * time.Millisecond)
			cancel()
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("Run: %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("Run goes on")
			}
		})
	}
	c.wire.Cut()
	var log logtest.Log
	var s store
	stop := background(t, openTest(t, c.config("a"), Options{Log: log.Logger()}), &s)
	log.Await(t, "the Kafka source cannot read; it connects anew", 1)
	c.wire.Mend()
	s.awaitAll(t, 5)
	log.Await(t, "the Kafka source reads again", 1)
	for i := 5; i < 50; i += 15 {
		c.wire.Cut()
		time.Sleep(20 * time.Millisecond)
		c.wire.Mend()
		c.events(t, "a", 1, i, i+15)
		s.awaitAll(t, i+15)
	}
	stop()
	ordered(t, s.ids(), 1)
	if n := len(log.Lines("level=WARN")); n > 30 {
		t.Errorf("%d warnings:\n%s", n, &log)
	}
}

func TestRecordsThatAreGoneAreToldOfAndTheRestIsRead(t *testing.T) {
	c := startCluster(t)
	c.create(t, "a", 1)
	c.events(t, "a", 1, 0, 10)
	var s store
	stop := background(t, openTest(t, c.config("a"), Options{}), &s)
	s.await(t, 10)
	stop()
	c.events(t, "a", 1, 10, 20)
	c.truncate(t, "a", 0, 15)
	var log logtest.Log
	stop = background(t, openTest(t, c.config("a"), Options{Log: log.Logger()}), &s)
	s.await(t, 15)
	stop()
	if got := s.ids()[10:]; !slices.Equal(got, []string{"15", "16", "17", "18", "19"}) {
		t.Errorf("%v", got)
	}
	told := log.Lines("level=ERROR")
	if len(told) != 1 || !strings.Contains(told[0], "records=5 from=10 to=15") {
		t.Errorf("%s", &log)
	}
}

func TestATopicThatIsMadeAnewIsReadFromItsBeginning(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	c.create(t, "a", 1)
	c.events(t, "a", 1, 0, 10)
	var s store
	var log logtest.Log
	stop := background(t, openTest(t, c.config("a"), Options{Log: log.Logger()}), &s)
	s.await(t, 10)
	c.remove(t, "a")
	c.create(t, "a", 1)
	joinCluster(t, c.address).events(t, "a", 1, 10, 13) // a client of its own: the other one knows the old topic
	await(t, "the new records", func() bool {
		ids := s.ids()
		return slices.Contains(ids, "10") && slices.Contains(ids, "11") && slices.Contains(ids, "12")
	})
	stop()
}

func TestLimitsAndSafetyOfTheClient(t *testing.T) {
	k := openTest(t, config("kafka", &KafkaSettings{Address: []string{"b:1"}, Topics: []string{"a"}, Group: "g", ClientID: "c", Start: "newest", MaxInFlight: 9999}), Options{}).(*kafka)
	w := clients.NewWire()
	defer w.Cut()
	config := k.config(w)
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	switch c := config.Consumer; {
	case c.Fetch.Max != 0:
		t.Error("sarama skips what is larger than Fetch.Max")
	case c.Fetch.MaxBytes <= 0 || sarama.MaxResponseSize > 100<<20 || sarama.MaxDecompressedBatchSize <= 0:
		t.Error("a fetch has no bound")
	case c.Offsets.Initial != sarama.OffsetOldest || c.Group.ResetInvalidOffsets:
		t.Error("a partition's start is sarama's to choose")
	case c.Group.Rebalance.Timeout <= k.grace || config.Net.ReadTimeout <= c.Group.Rebalance.Timeout:
		t.Error("a rebalance does not wait for calls under way")
	case config.Metadata.AllowAutoTopicCreation:
		t.Error("reading makes topics")
	case config.ChannelBufferSize > 1000:
		t.Errorf("%d records are buffered for a partition", config.ChannelBufferSize)
	}
}
