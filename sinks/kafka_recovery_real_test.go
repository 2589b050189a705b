//go:build real

package sinks

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxSpent is how many attempts a fault may cost an event, so that it is not
// given up: the default is three in all.
const maxSpent = 2

// A broker is stopped, killed, paused and kept away under Sends that are tried
// again until they are acknowledged. Everything acknowledged must be there, and
// no event may pay for the outage.
func TestRealKafkaLosesNothingWhenTheBrokerGoesAndComesBack(t *testing.T) {
	faults := map[string]func(){
		"stopped": func() { service(t, "stop", "kafka"); service(t, "start", "kafka") },
		"killed":  func() { service(t, "kill", "kafka"); service(t, "start", "kafka") },
		"stopped for half a minute": func() {
			service(t, "stop", "kafka")
			time.Sleep(30 * time.Second)
			service(t, "start", "kafka")
		},
		"paused": func() {
			service(t, "pause", "kafka")
			time.Sleep(3 * time.Second) // longer than a Send's time
			service(t, "resume", "kafka")
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			topic := realTopic(t)
			sink := openSink(t, newPool(t), kafkaDestination(kafkaSettings(setting(t, "KEG_TEST_KAFKA"), topic)))
			load := startLoad(t, sink, 2*time.Second)
			load.more(200)
			fault()
			back := time.Now()
			load.more(200)
			t.Logf("200 events %v after the fault", time.Since(back).Round(time.Millisecond))
			load.end()
			if most := load.report(); most > maxSpent && name != "paused" {
				t.Errorf("an event spent %d attempts on an outage", most)
			}
			load.arrived(topic, time.Time{})
		})
	}
}

// arrived checks that the topic holds what was taken after since, and nothing
// more often than it was sent.
func (l *load) arrived(topic string, since time.Time) {
	l.t.Helper()
	times := map[string]int{}
	for _, r := range realRecords(l.t, topic) {
		times[strings.TrimPrefix(string(r.Value), "data of ")]++
	}
	doubled := 0
	for id, at := range l.taken {
		switch n := times[id]; {
		case n == 0 && at.After(since):
			l.t.Errorf("%s was acknowledged and is not there", id)
		case n > l.tries[id]:
			l.t.Errorf("%s is there %d times after %d Sends", id, n, l.tries[id])
		case n > 1:
			doubled++
		}
	}
	for id := range times {
		if l.tries[id] == 0 {
			l.t.Errorf("%q is there, and was never sent", id)
		}
	}
	l.t.Logf("%d events are there more than once", doubled)
}

// What was in the topic goes with it. What is acknowledged once it is there
// again must be there, and nothing is refused for good meanwhile.
func TestRealKafkaTopicThatIsDeletedAndMadeAgainUnderLoad(t *testing.T) {
	topic := realTopic(t)
	sink := openSink(t, newPool(t), kafkaDestination(kafkaSettings(setting(t, "KEG_TEST_KAFKA"), topic)))
	load := startLoad(t, sink, 5*time.Second)
	load.more(200)

	client, err := kgo.NewClient(kgo.SeedBrokers(setting(t, "KEG_TEST_KAFKA")))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	remove := kmsg.NewDeleteTopicsRequest()
	name := kmsg.NewDeleteTopicsRequestTopic()
	name.Topic = &topic
	remove.Topics, remove.TopicNames = append(remove.Topics, name), []string{topic}
	answer, err := remove.RequestWith(ctxOf(t, 30*time.Second), client)
	if err == nil {
		err = kerr.ErrorForCode(answer.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("deleting the topic: %v", err)
	}
	time.Sleep(2 * time.Second) // under load
	makeTopic(t, client, topic, nil)
	again := time.Now()
	load.more(500)
	load.end()
	load.report()
	load.arrived(topic, again)
}

// The broker refuses batches that are larger than the topic allows, whoever is in
// them. Small records must get through at their first attempt, and large ones
// hear that it is they.
func TestRealKafkaTooLargeIsTheLargeOnesAlone(t *testing.T) {
	client, err := kgo.NewClient(kgo.SeedBrokers(setting(t, "KEG_TEST_KAFKA")))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	topic := fmt.Sprintf("keg-small-%d", time.Now().UnixNano())
	makeTopic(t, client, topic, map[string]string{"max.message.bytes": "20000"})
	sink := openSink(t, newPool(t), kafkaDestination(kafkaSettings(setting(t, "KEG_TEST_KAFKA"), topic)))
	var sends sync.WaitGroup
	for i := range 400 {
		sends.Go(func() {
			e, want := testEvent(fmt.Sprint(i)), "taken"
			e.Data = bytes.Repeat([]byte("x"), 5000)
			if i%10 == 0 {
				e.Data, want = bytes.Repeat([]byte("x"), 50_000), "too large"
			}
			if err := sink.Send(ctxOf(t, 60*time.Second), e); class(err) != want {
				t.Errorf("%d bytes: %v is %s, want %s", len(e.Data), err, class(err), want)
			}
		})
	}
	sends.Wait()
	if n := len(realRecords(t, topic)); n != 360 {
		t.Errorf("%d records arrived, want 360", n)
	}
}
