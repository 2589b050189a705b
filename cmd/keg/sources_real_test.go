//go:build real

package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

func TestTheSourcesOfTheEnvironmentAllBringEvents(t *testing.T) {
	makeTopic(t, "keg.events", 3, nil)
	to := newCollector(t).on(t)
	n := prepareNode(t, httpRoute(to.address, ""))
	_, port, _ := net.SplitHostPort(n.source)
	n.args = n.args[:len(n.args)-2]
	n.env = append(n.env, fmt.Sprintf("KEG_EVENT_SOURCES=kafka:%s,mqtt:%s,http:%s", service(t, "KEG_TEST_KAFKA"), service(t, "KEG_TEST_MQTT"), port))
	n.run()
	var ids []string
	p := &publisher{t: t, topic: "keg/events/shop"}
	n.eventually("an event of MQTT has come", func() bool {
		p.publish(1)
		return p.reached(n)
	})
	ids = append(ids, p.ids...)
	produced := startProducing(t, "keg.events", 1, 10*time.Millisecond)
	within(t, longPatience, "events are produced", func() bool { return len(produced.ids()) > 5 })
	produced.stop()
	ids = append(ids, produced.ids()...)
	if status, answer, _ := trySend(http.DefaultClient, n.url(), orderEvent("by-http")); status != http.StatusOK {
		t.Errorf("%d %s", status, answer)
	}
	arrive(t, append(ids, "by-http"), to.all)
	for _, entry := range []string{"kafka", "mqtt", "http"} {
		if n.metric("keg_events_total", entry, `outcome="delivered"`) == 0 {
			t.Errorf("no event of %s is counted", entry)
		}
	}
}

// TestAKafkaSourceOutlivesItsCluster stops the broker under a node that reads.
func TestAKafkaSourceOutlivesItsCluster(t *testing.T) {
	topic, to := uniqueTopic("read"), newCollector(t).on(t)
	makeTopic(t, topic, 3, nil)
	n := readingKafka(t, prepareNode(t, httpRoute(to.address, "ordered: true, ")), topic).run()
	produce := func() []string {
		load := startProducing(t, topic, 6, 10*time.Millisecond)
		within(t, longPatience, "events are produced", func() bool { return len(load.ids()) > 200 })
		load.stop()
		return load.ids()
	}
	first := produce()
	control(t, "kill", "kafka")
	away := time.Now()
	n.eventually("the source is told to be down", func() bool { return n.metric("keg_source_up", "kafka") == 0 })
	t.Logf("told to be down after %v", time.Since(away).Round(time.Second/10))
	if !n.readiness().Ready {
		t.Error("a node whose source is away is not ready")
	}
	control(t, "start", "kafka")
	back := time.Now()
	n.eventually("the source is told to be up", func() bool { return n.metric("keg_source_up", "kafka") == 1 })
	t.Logf("told to be up %v after the broker was", time.Since(back).Round(time.Second/10))
	arrive(t, first, to.all)
	arrive(t, produce(), to.all)
	to.inOrder(t)
	if status := n.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

// readingKafka gives a node a source of a topic, in a group of the same name.
func readingKafka(t *testing.T, n *servedNode, topic string) *servedNode {
	n.args[len(n.args)-1] += fmt.Sprintf(",kafka://%s?topics=%s&group=%s", service(t, "KEG_TEST_KAFKA"), topic, topic)
	return n
}

// TestARecordThatIsNoEventIsADeadLetterThatSaysWhereItWas, and those behind it
// in its partition get through.
func TestARecordThatIsNoEventIsADeadLetterThatSaysWhereItWas(t *testing.T) {
	topic, to := uniqueTopic("junk"), newCollector(t).on(t)
	makeTopic(t, topic, 1, nil)
	n := readingKafka(t, prepareNode(t, httpRoute(to.address, "")).kept(), topic).run()
	config := sarama.NewConfig()
	config.Producer.Return.Successes = true
	producer, err := sarama.NewSyncProducer([]string{service(t, "KEG_TEST_KAFKA")}, config)
	do(t, err)
	defer producer.Close()
	junk := &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(`{"specversion":`), Headers: []sarama.RecordHeader{
		{Key: []byte("content-type"), Value: []byte("application/cloudevents+json")},
	}}
	do(t, producer.SendMessages([]*sarama.ProducerMessage{cloudEvent(topic, "k", "k/0"), junk, cloudEvent(topic, "k", "k/1")}))
	arrive(t, []string{"k/0", "k/1"}, to.all)
	letters := n.letters("--reason", "undecodable")
	if len(letters) != 1 || letters[0].Route != "" || !strings.Contains(letters[0].Error, fmt.Sprintf("topic %q, partition 0, offset 1", topic)) {
		t.Fatalf("%+v", letters)
	}
	status, stdout, _ := n.keg("deadletters", "show", letters[0].ID)
	for _, want := range []string{"keg-source-topic: " + topic, "keg-source-partition: 0", "keg-source-offset: 1", "specversion"} {
		if status != 0 || !strings.Contains(stdout, want) {
			t.Errorf("show: %d, no %q in\n%s", status, want, stdout)
		}
	}
	if status, stdout, _ := n.keg("deadletters", "replay", letters[0].ID); status != exitFailure || !strings.Contains(stdout, "--through-routes") {
		t.Errorf("replay: %d %s", status, stdout)
	}
	if status, stdout, stderr := n.keg("deadletters", "drop", "--all", "--yes"); status != 0 || stdout != "1 dead letter dropped\n" {
		t.Errorf("drop: %d %s%s", status, stdout, stderr)
	}
}
