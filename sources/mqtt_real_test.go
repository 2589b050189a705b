//go:build real

package sources

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
	"github.com/kong/keg/test/logtest"
)

// publisher publishes the ids from 0 on with qos 1, over as many connections as
// it takes, and keeps what the broker has acknowledged, in order.
type publisher struct {
	mu     sync.Mutex
	acked  []string
	closed chan struct{}
	done   chan struct{}
}

func startPublisher(address, topic string) *publisher {
	p := &publisher{closed: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		var client paho.Client
		for i := 0; ; i++ {
			select {
			case <-p.closed:
				if client != nil {
					client.Disconnect(100)
				}
				return
			default:
			}
			if client == nil || !client.IsConnectionOpen() {
				client = paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + address).SetClientID("publisher-" + topic).SetAutoReconnect(false))
				if token := client.Connect(); !token.WaitTimeout(5*time.Second) || token.Error() != nil {
					client = nil
					time.Sleep(20 * time.Millisecond)
					continue
				}
			}
			id := fmt.Sprint(i)
			token := client.Publish(topic, 1, false, structured(id))
			if token.WaitTimeout(5*time.Second) && token.Error() == nil {
				p.mu.Lock()
				p.acked = append(p.acked, id)
				p.mu.Unlock()
			} else {
				client.Disconnect(0)
				client = nil
			}
		}
	}()
	return p
}

func (p *publisher) ids() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.acked)
}

func (p *publisher) stop() []string {
	close(p.closed)
	<-p.done
	return p.ids()
}

func realMQTT(t *testing.T, name string, topic string) *MQTTSettings {
	return &MQTTSettings{
		Address: setting(t, "KEG_TEST_MQTT"), Topics: []string{topic}, QoS: 1, MaxInFlight: 1000,
		ClientID: fmt.Sprintf("%s-%d", name, rand.Int64()),
	}
}

func TestRealMosquittoStoppedKilledAndPausedUnderLoad(t *testing.T) {
	for name, test := range map[string]struct {
		fault func()
		// all tells that the broker itself keeps what it has acknowledged; killed, it
		// loses what it had not written.
		all bool
	}{
		"stopped": {func() { service(t, "stop", "mosquitto"); service(t, "start", "mosquitto") }, true},
		"paused": {func() {
			service(t, "pause", "mosquitto")
			time.Sleep(5 * time.Second)
			service(t, "resume", "mosquitto")
		}, true},
		"killed": {func() { service(t, "kill", "mosquitto"); service(t, "start", "mosquitto") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			topic := fmt.Sprintf("real/%s/%d", name, rand.Int64())
			var s store
			var log logtest.Log
			source := openTest(t, config("mqtt", realMQTT(t, name, topic)), Options{Log: log.Logger()})
			stop := background(t, source, &s)
			log.Await(t, "the MQTT source reads", 1)
			p := startPublisher(setting(t, "KEG_TEST_MQTT"), topic)
			s.await(t, 300)
			test.fault()
			before := p.ids()
			await(t, "messages after the fault", func() bool { return len(p.ids()) > len(before)+300 })
			acked := p.stop()
			if !test.all {
				acked = acked[len(before)+1:] // one may have been on its way
			}
			has(t, &s, acked)
			stop()
			ordered(t, s.ids(), 1)
			t.Logf("%d acknowledged, %d read, %d connections", len(p.ids()), len(s.ids()), len(log.Lines("the MQTT source reads")))
		})
	}
}

func TestRealMosquittoKeepsTheSessionWhileNobodyReads(t *testing.T) {
	topic := fmt.Sprintf("real/away/%d", rand.Int64())
	settings := realMQTT(t, "away", topic)
	var s store
	var log logtest.Log
	run := func() (stop func()) {
		log.Reset()
		stop = background(t, openTest(t, config("mqtt", settings), Options{Log: log.Logger()}), &s)
		log.Await(t, "the MQTT source reads", 1)
		return stop
	}
	stop := run()
	p := startPublisher(setting(t, "KEG_TEST_MQTT"), topic)
	s.await(t, 100)
	stop()
	before := len(p.ids())
	await(t, "messages while it is away", func() bool { return len(p.ids()) > before+500 })
	service(t, "stop", "mosquitto")
	service(t, "start", "mosquitto")
	stop = run()
	await(t, "messages after it", func() bool { return len(p.ids()) > before+800 })
	has(t, &s, p.stop())
	stop()
	ordered(t, s.ids(), 1)
	if extra := len(s.ids()) - len(p.ids()); extra > 50 {
		t.Errorf("%d messages came twice", extra)
	}
}

func TestRealMosquittoSharesAGroupAndRefusesStrangers(t *testing.T) {
	topic := fmt.Sprintf("real/shared/%d", rand.Int64())
	var s store
	for _, name := range []string{"one", "two"} {
		settings := realMQTT(t, name, topic)
		settings.Address, settings.Group = setting(t, "KEG_TEST_MQTT_TLS"), "nodes"
		ca, err := os.ReadFile(setting(t, "KEG_TEST_TLS_CA"))
		if err != nil {
			t.Fatal(err)
		}
		settings.TLS = &clients.TLS{CA: string(ca)}
		var log logtest.Log
		background(t, openTest(t, config("mqtt", settings), Options{Log: log.Logger()}), &s)
		log.Await(t, "the MQTT source reads", 1)
	}
	p := startPublisher(setting(t, "KEG_TEST_MQTT"), topic)
	s.await(t, 500)
	acked := p.stop()
	has(t, &s, acked)
	if n := len(s.ids()); n > len(acked)+1 {
		t.Errorf("%d messages came %d times", len(acked), n)
	}

	var log logtest.Log
	settings := realMQTT(t, "stranger", topic)
	settings.Address, settings.Username, settings.Password = setting(t, "KEG_TEST_MQTT_PASSWORD"), "keg", keg.NewSecret("wrong-s3cr3t")
	stop := background(t, openTest(t, config("mqtt", settings), Options{Log: log.Logger()}), &s)
	log.Await(t, "the broker refused the connection", 1)
	stop()
	if len(log.Lines("s3cr3t")) > 0 {
		t.Errorf("the log tells the password:\n%s", &log)
	}
}
