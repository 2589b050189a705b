package sources

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kong/keg"
	"github.com/kong/keg/test/logtest"
)

// ordered fails the test unless the events of each partition (ids modulo
// partitions) came in the order of their ids, from the first time each came.
func ordered(t *testing.T, ids []string, partitions int) {
	t.Helper()
	last, seen := make(map[int]int), make(map[string]bool)
	for _, id := range ids {
		n, err := strconv.Atoi(id)
		if err != nil || seen[id] {
			continue
		}
		seen[id] = true
		if before, ok := last[n%partitions]; ok && n < before {
			t.Errorf("event %d came after event %d of the same partition", n, before)
			return
		}
		last[n%partitions] = n
	}
}

func TestKafkaRecordsComeOnceInOrderAndAreCommitted(t *testing.T) {
	c := startCluster(t)
	c.create(t, "a", 3)
	c.events(t, "a", 3, 0, 3000)
	var s store
	stop := background(t, openTest(t, c.config("a"), Options{}), &s)
	s.awaitAll(t, 3000)
	c.events(t, "a", 3, 3000, 3300)
	s.awaitAll(t, 3300)
	stop()
	ids := s.ids()
	if ordered(t, ids, 3); len(ids) != 3300 {
		t.Errorf("%d events came, want each once", len(ids))
	}
	for partition := range int32(3) {
		if at := c.committed(t, "a", partition); at != 1100 {
			t.Errorf("partition %d is committed up to %d", partition, at)
		}
	}
	if s.most > 3 {
		t.Errorf("%d calls at a time over three partitions", s.most)
	}
	e := s.events[0]
	if e.Source != "/test" || string(e.Data) != "data of "+e.ID || keg.Hops(e) != 1 {
		t.Errorf("%+v", e)
	}
	var again store
	c.events(t, "a", 3, 3300, 3301)
	stop = background(t, openTest(t, c.config("a"), Options{}), &again)
	await(t, "the next event", func() bool { return again.count() > 0 })
	stop()
	if got := again.ids(); !slices.Equal(got, []string{"3300"}) {
		t.Errorf("the next run reads %v", got)
	}
}

func TestAPartitionWaitsForItsEventAndTheOthersGoOn(t *testing.T) {
	c := startCluster(t)
	c.create(t, "a", 2)
	c.events(t, "a", 2, 0, 100)
	var open atomic.Bool
	var log logtest.Log
	s := &store{judge: func(e *keg.Event) error {
		if e.ID == "21" && !open.Load() {
			return errors.New("destination away")
		}
		return nil
	}}
	settings := c.settings("a")
	settings.MaxInFlight = 10
	source := openTest(t, config("kafka", settings), Options{Log: log.Logger()})
	stop := background(t, source, s)
	await(t, "partition 0 is read", func() bool {
		n := 0
		for _, id := range s.ids() {
			if i, _ := strconv.Atoi(id); i%2 == 0 {
				n++
			}
		}
		return n == 50
	})
	c.events(t, "a", 2, 100, 200)
	await(t, "partition 0 is read on", func() bool { return slices.Contains(s.ids(), "198") })
	if slices.Contains(s.ids(), "41") {
		t.Error("partition 1 went on without its event 21")
	}
	await(t, "commit", func() bool { return c.committed(t, "a", 0) == 100 })
	if at := c.committed(t, "a", 1); at > 10 {
		t.Errorf("partition 1 is committed up to %d, and offset 10 is not safe", at)
	}
	log.Await(t, "destination away", 1)
	open.Store(true)
	s.awaitAll(t, 200)
	stop()
	if at := c.committed(t, "a", 1); at != 100 {
		t.Errorf("partition 1 is committed up to %d in the end", at)
	}
	if sessions := len(log.Lines("the Kafka source reads\"")); sessions != 1 {
		t.Errorf("%d sessions: the member was thrown out while it waited", sessions)
	}
}

func TestWhatIsNoEventBecomesADeadLetter(t *testing.T) {
	c := startCluster(t)
	c.create(t, "a", 1)
	structured := []kgo.RecordHeader{{Key: "content-type", Value: []byte("application/cloudevents+json")}, {Key: "keg-source-offset", Value: []byte("99")}}
	half := event("a", 0, "half")
	half.Headers = half.Headers[:2]
	c.produce(t,
		event("a", 0, "0"),
		&kgo.Record{Topic: "a", Value: []byte("{no JSON"), Headers: structured},
		&kgo.Record{Topic: "a", Value: bytes.Repeat([]byte("x"), 2000), Key: []byte("k")},
		half,
		&kgo.Record{Topic: "a", Value: []byte("plain"), Key: []byte("k")},
		event("a", 0, "1"),
	)
	s := &store{judge: func(e *keg.Event) error {
		if e.ID == "1" {
			return &keg.UnroutedError{}
		}
		return nil
	}}
	o := Options{}
	o.Events.MaxBytes = 1000
	stop := background(t, openTest(t, c.config("a"), o), s)
	await(t, "all six", func() bool { return s.count() == 6 })
	stop()
	if got := s.ids(); !slices.Equal(got, []string{"0", "a-0-4"}) {
		t.Errorf("events %v", got)
	}
	if at := c.committed(t, "a", 0); at != 6 {
		t.Errorf("committed up to %d", at)
	}
	wants := map[string]keg.Reason{"a-0-1": keg.ReasonUndecodable, "a-0-2": keg.ReasonTooLarge, "a-0-3": keg.ReasonUndecodable, "1": keg.ReasonRefused}
	for i, d := range s.letters() {
		offset := d.Event.Headers.Get("keg-source-offset")
		if d.Reason != wants[d.Event.ID] || !strings.HasPrefix(d.Error, `topic "a", partition 0, offset `+offset+": ") || d.Died.IsZero() {
			t.Errorf("%d: %+v %+v", i, d, d.Event)
		}
		if d.Event.ID != "1" && (d.Event.Type != "kafka.record" || d.Event.ID != "a-0-"+offset || len(d.Event.Data) == 0 || d.Event.Validate() != nil) {
			t.Errorf("%d: %+v", i, d.Event)
		}
	}
	if len(s.letters()) != 4 {
		t.Errorf("%d dead letters", len(s.letters()))
	}
}

func TestAStoppedSourceWaitsForTheCallUnderWayAndCommits(t *testing.T) {
	c := startCluster(t)
	c.create(t, "a", 1)
	c.events(t, "a", 1, 0, 10)
	entered, leave := make(chan struct{}), make(chan struct{})
	var once atomic.Bool
	s := &store{judge: func(*keg.Event) error {
		if once.CompareAndSwap(false, true) {
			close(entered)
			<-leave
		}
		return nil
	}}
	stop := background(t, openTest(t, c.config("a"), Options{}), s)
	<-entered
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	select {
	case <-stopped:
		t.Fatal("it did not wait")
	case <-time.After(100 * time.Millisecond):
	}
	close(leave)
	<-stopped
	if at, n := c.committed(t, "a", 0), s.count(); at != int64(n) || n == 0 {
		t.Errorf("%d events are safe, committed up to %d", n, at)
	}
}

// As a kill between the intake's yes and the commit.
func TestWhatWasNotCommittedComesAgainWithTheSameID(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	c.create(t, "a", 1)
	c.produce(t, &kgo.Record{Topic: "a", Value: []byte("x")}, event("a", 0, "1"))
	var s store
	inside := make(chan struct{})
	var once atomic.Bool
	s.judge = func(*keg.Event) error {
		if once.CompareAndSwap(false, true) {
			c.wire.Cut()
			close(inside)
		}
		return nil
	}
	stop := background(t, openTest(t, c.config("a"), Options{}), &s)
	<-inside
	stop()
	c.wire.Mend()
	if at := c.committed(t, "a", 0); at > 0 {
		t.Fatalf("committed up to %d without a connection", at)
	}
	var again store
	stop = background(t, openTest(t, c.config("a"), Options{}), &again)
	again.await(t, 2)
	stop()
	if got, want := again.ids(), []string{"a-0-0", "1"}; !slices.Equal(got, want) || !slices.Equal(s.ids(), want[:len(s.ids())]) {
		t.Errorf("first %v, then %v", s.ids(), got)
	}
}

func (s *store) await(t testing.TB, n int) {
	t.Helper()
	await(t, fmt.Sprintf("%d events", n), func() bool { return s.count() >= n })
}

func TestTwoMembersShareAndLoseNothingWhileTheyComeAndGo(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	const partitions, n = 6, 6000
	c.create(t, "a", partitions)
	// One store sees the calls of both, as one database would.
	s := &store{judge: func(*keg.Event) error { return nil }}
	settings := c.settings("a")
	settings.MaxInFlight = 20
	open := func() keg.Source { return openTest(t, config("kafka", settings), Options{}) }
	stopFirst := background(t, open(), s)
	produced := make(chan struct{})
	go func() {
		defer close(produced)
		for i := 0; i < n; i += 60 {
			c.events(t, "a", partitions, i, i+60)
			time.Sleep(10 * time.Millisecond)
		}
	}()
	s.await(t, 300)
	stopSecond := background(t, open(), s)
	s.await(t, s.count()+500)
	stopFirst()
	s.await(t, s.count()+500)
	stopThird := background(t, open(), s)
	<-produced
	s.awaitAll(t, n)
	stopSecond()
	stopThird()
	ordered(t, s.ids(), partitions)
	if doubled := len(s.ids()) - n; doubled > n/10 {
		t.Errorf("%d of %d events came twice", doubled, n)
	}
	for partition := range int32(partitions) {
		if at := c.committed(t, "a", partition); at != n/partitions {
			t.Errorf("partition %d is committed up to %d", partition, at)
		}
	}
}
