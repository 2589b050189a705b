//go:build real

package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/uuid"

	"github.com/kong/keg/console"
)

// TestMosquittoIsKilledUnderTheLoadOfAnMQTTDestination: what is safe has come to
// a subscriber that was there, or lies in the broker as a retained message.
func TestMosquittoIsKilledUnderTheLoadOfAnMQTTDestination(t *testing.T) {
	topic := uniqueTopic("out")
	n := prepareNode(t, fmt.Sprintf("routes: [{name: all, match: {}, destinations: [{type: mqtt, address: %q, topic: \"%s/{id}\", qos: 1, retain: true}]}]\n",
		service(t, "KEG_TEST_MQTT"), topic)).kept().run()
	heard := listen(t, topic+"/#")
	load := startSending(t, 4, 10*time.Millisecond, n.url())
	for _, end := range []string{"kill", "stop"} {
		load.more(t, 200)
		control(t, end, "mosquitto")
		load.more(t, 200)
		if r := n.readiness(); !r.Ready {
			t.Errorf("while its broker is away the node says %+v", r)
		}
		control(t, "start", "mosquitto")
		load.more(t, 100)
	}
	load.stop()
	load.only(t)
	n.drained()
	lying := listen(t, topic+"/#")
	arrive(t, load.ids(), func() map[string]int {
		all := heard.all()
		for id, n := range lying.all() {
			all[id] = max(all[id], n)
		}
		return all
	})
	if r := n.readiness(); r.Store.DeadLetters != 0 {
		t.Errorf("%d dead letters of an outage", r.Store.DeadLetters)
	}
}

// hearing counts the ids of events in MQTT.
type hearing struct {
	mu  sync.Mutex
	got map[string]int
}

func (h *hearing) all() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := map[string]int{}
	for id, n := range h.got {
		all[id] = n
	}
	return all
}

// listen subscribes with a client that comes back. With qos 0 the broker keeps
// nothing back.
func listen(t *testing.T, filter string) *hearing {
	t.Helper()
	h := &hearing{got: map[string]int{}}
	up := make(chan struct{}, 100)
	options := paho.NewClientOptions().AddBroker("tcp://" + service(t, "KEG_TEST_MQTT")).SetClientID(uuid.NewString()).
		SetMaxReconnectInterval(200 * time.Millisecond).SetConnectRetryInterval(200 * time.Millisecond)
	options.SetOnConnectHandler(func(c paho.Client) {
		token := c.Subscribe(filter, 0, func(_ paho.Client, m paho.Message) {
			var e struct{ ID string }
			if err := json.Unmarshal(m.Payload(), &e); err != nil {
				t.Errorf("%s: %v", m.Payload(), err)
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			h.got[e.ID]++
		})
		if token.WaitTimeout(10*time.Second) && token.Error() == nil {
			up <- struct{}{}
		}
	})
	client := paho.NewClient(options)
	if token := client.Connect(); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	t.Cleanup(func() { client.Disconnect(0) })
	<-up
	return h
}

// TestMosquittoIsKilledUnderTheLoadOfAnMQTTSource: what the broker has taken is
// in Kafka in the end. Mosquitto writes its queues to the disk a moment after it
// has said yes, and so nothing is published in the moment before it is killed.
func TestMosquittoIsKilledUnderTheLoadOfAnMQTTSource(t *testing.T) {
	topic := uniqueTopic("in")
	makeTopic(t, topic, 3, nil)
	n := prepareNode(t, fmt.Sprintf(`
sources: [{type: mqtt, address: %q, topics: ["%s/#"], client_id: %s}]
%s`, service(t, "KEG_TEST_MQTT"), topic, topic, kafkaRoute(t, topic))).run()
	p := &publisher{t: t, topic: topic}
	n.eventually("the source has subscribed", func() bool {
		p.publish(1)
		return p.reached(n)
	})
	p.publish(200)
	control(t, "pause", "kafka") // so that much is unacknowledged
	p.publish(300)
	time.Sleep(2 * time.Second)
	control(t, "kill", "mosquitto")
	n.eventually("the source is told to be down", func() bool { return n.metric("keg_source_up", "mqtt") == 0 })
	if r := n.readiness(); !r.Ready || len(r.Sources) != 2 || !slices.ContainsFunc(r.Sources, func(s console.SourceReport) bool { return s.Status == "down" && s.Error != "" }) {
		t.Errorf("while the source's broker is away the node says %+v", r)
	}
	if status, stdout, stderr := n.keg("health"); status != 0 || !strings.Contains(stdout, "2 sources, 1 down: mqtt://") {
		t.Errorf("keg health: %d %s%s", status, stdout, stderr)
	}
	control(t, "start", "mosquitto")
	control(t, "resume", "kafka")
	n.eventually("the source is told to be up", func() bool { return n.metric("keg_source_up", "mqtt") == 1 })
	p.publish(200)

	published := make(chan struct{})
	go func() { defer close(published); p.publish(1000) }()
	time.Sleep(500 * time.Millisecond)
	control(t, "stop", "mosquitto")
	control(t, "start", "mosquitto")
	<-published
	arrive(t, p.ids, func() map[string]int { return kept(t, topic) })
	if status := n.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

// publisher publishes events with qos 1, again until the broker has each.
type publisher struct {
	t      *testing.T
	topic  string
	client paho.Client
	ids    []string
}

func (p *publisher) publish(n int) {
	for range n {
		id := uuid.NewString()
		event := fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"test","type":"order.created","data":{"n":1}}`, id)
		for deadline := time.Now().Add(longPatience); !p.try(event); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				p.t.Errorf("the broker does not take %s", id)
				return
			}
		}
		p.ids = append(p.ids, id)
	}
}

// try uses a connection until it fails: paho's tokens may end well for what was
// cut.
func (p *publisher) try(event string) bool {
	if p.client == nil || !p.client.IsConnectionOpen() {
		p.client = paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + service(p.t, "KEG_TEST_MQTT")).SetClientID(uuid.NewString()).SetAutoReconnect(false))
		if token := p.client.Connect(); !token.WaitTimeout(5*time.Second) || token.Error() != nil {
			return false
		}
	}
	token := p.client.Publish(p.topic+"/orders", 1, false, event)
	return token.WaitTimeout(5*time.Second) && token.Error() == nil
}

// reached tells that the last event has come to the node.
func (p *publisher) reached(n *servedNode) bool {
	time.Sleep(100 * time.Millisecond)
	if n.metric("keg_events_total", "mqtt") == 0 {
		p.ids = nil // nobody had subscribed, and the broker kept nothing
		return false
	}
	return true
}
