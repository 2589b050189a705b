//go:build real

package sinks

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/kong/keg"
	"github.com/kong/keg/cloudevents"
)

// subscription counts what Mosquitto hands on of a topic, by event id. It is
// lost with the broker, and made again by subscribe.
type subscription struct {
	mu  sync.Mutex
	ids map[string]int
}

func subscribe(t *testing.T, topic string, into *subscription) {
	t.Helper()
	o := paho.NewClientOptions().AddBroker("tcp://" + setting(t, "KEG_TEST_MQTT")).SetAutoReconnect(false)
	client := paho.NewClient(o)
	wait := func(token paho.Token) {
		t.Helper()
		if !token.WaitTimeout(20*time.Second) || token.Error() != nil {
			t.Fatalf("subscribing: %v", token.Error())
		}
	}
	wait(client.Connect())
	wait(client.Subscribe(topic, 1, func(_ paho.Client, m paho.Message) {
		e, err := cloudevents.FromMQTT(cloudevents.Message{Broker: "test", Topic: m.Topic(), Payload: m.Payload()})
		if err != nil {
			t.Errorf("what arrived is no event: %v", err)
			return
		}
		into.mu.Lock()
		defer into.mu.Unlock()
		into.ids[e.ID]++
	}))
	t.Cleanup(func() { client.Disconnect(100) })
}

func (s *subscription) missing(ids []string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return s.ids[id] > 0 })
}

func mosquittoTopic() string { return fmt.Sprintf("keg/%d", time.Now().UnixNano()) }

func TestMosquittoTakesEveryQoSByEveryWay(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(m *MQTT)
	}{
		{"plain", func(m *MQTT) { m.Address = setting(t, "KEG_TEST_MQTT") }},
		{"password", func(m *MQTT) {
			m.Address = setting(t, "KEG_TEST_MQTT_PASSWORD")
			m.Username, m.Password = setting(t, "KEG_TEST_MQTT_USER"), keg.NewSecret(setting(t, "KEG_TEST_MQTT_SECRET"))
		}},
		{"TLS", func(m *MQTT) {
			m.Address, m.TLS = "ssl://"+setting(t, "KEG_TEST_MQTT_TLS"), &TLS{CA: setting(t, "KEG_TEST_TLS_CA")}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			topic := mosquittoTopic()
			got := &subscription{ids: map[string]int{}}
			subscribe(t, topic, got)
			pool := newPool(t)
			var ids []string
			for _, qos := range []int{0, 1, 2} {
				m := &MQTT{Topic: topic, QoS: qos}
				tt.change(m)
				sink := openSink(t, pool, mqttDestination(m))
				var sends sync.WaitGroup
				for i := range 200 {
					id := fmt.Sprintf("%d-%d", qos, i)
					ids = append(ids, id)
					sends.Go(func() {
						if err := sendOne(t, sink, webhook(id)); err != nil {
							t.Errorf("%s: %v", id, err)
						}
					})
				}
				sends.Wait()
			}
			eventually(t, "everything arrives", func() bool { return len(got.missing(ids)) == 0 })
			got.mu.Lock()
			defer got.mu.Unlock()
			if len(got.ids) != len(ids) {
				t.Errorf("%d events arrived, %d were sent", len(got.ids), len(ids))
			}
			for _, id := range slices.Sorted(maps.Keys(got.ids)) {
				if n := got.ids[id]; n != 1 {
					t.Errorf("%s arrived %d times, though no connection was lost", id, n)
				}
			}
		})
	}
}

func TestMosquittoRefusesStrangers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(m *MQTT)
		text   string
	}{
		{"a wrong password", func(m *MQTT) {
			m.Address, m.Username, m.Password = setting(t, "KEG_TEST_MQTT_PASSWORD"), setting(t, "KEG_TEST_MQTT_USER"), keg.NewSecret("wrong")
		}, "refused the connection"},
		{"no password", func(m *MQTT) { m.Address = setting(t, "KEG_TEST_MQTT_PASSWORD") }, "refused the connection"},
		{"an unknown authority", func(m *MQTT) { m.Address = "ssl://" + setting(t, "KEG_TEST_MQTT_TLS") }, "certificate"},
		{"plain to TLS", func(m *MQTT) { m.Address = setting(t, "KEG_TEST_MQTT_TLS") }, "did not answer CONNECT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &MQTT{Topic: "keg/refused", QoS: 1}
			tt.change(m)
			unsent(t, sendOne(t, openSink(t, newPool(t), mqttDestination(m)), webhook("1")), tt.text)
		})
	}
}

// Whatever is done to the broker, a Send that said yes has delivered: Mosquitto
// acknowledges once it has handed a message to its subscribers' queues.
func TestMosquittoThatIsKilledStoppedAndPausedCostsOnlyErrors(t *testing.T) {
	for _, fault := range []struct{ end, mend string }{{"stop", "start"}, {"kill", "start"}, {"pause", "resume"}} {
		t.Run(fault.end, func(t *testing.T) {
			m := &MQTT{Address: setting(t, "KEG_TEST_MQTT"), Topic: mosquittoTopic(), QoS: 1}
			sink := openSink(t, newPool(t), mqttDestination(m))
			got := &subscription{ids: map[string]int{}}
			subscribe(t, m.Topic, got)

			stop := make(chan struct{})
			var number, failed atomic.Int64
			var mu sync.Mutex
			var acknowledged []string
			var senders sync.WaitGroup
			for range 8 {
				senders.Go(func() {
					for {
						select {
						case <-stop:
							return
						case <-time.After(time.Millisecond):
						}
						id := fmt.Sprint(number.Add(1))
						ctx, cancel := context.WithTimeout(context.Background(), time.Second)
						err := sink.Send(ctx, webhook(id))
						cancel()
						switch {
						case err == nil:
							mu.Lock()
							acknowledged = append(acknowledged, id)
							mu.Unlock()
						case keg.IsPermanent(err):
							t.Errorf("%v is permanent", err)
						default:
							failed.Add(1)
						}
					}
				})
			}
			count := func() int {
				mu.Lock()
				defer mu.Unlock()
				return len(acknowledged)
			}
			eventually(t, "messages flow", func() bool { return count() > 100 })
			mu.Lock()
			before := slices.Clone(acknowledged)
			mu.Unlock()
			eventually(t, "they arrive", func() bool { return len(got.missing(before)) == 0 })

			service(t, fault.end, "mosquitto")
			eventually(t, "Sends fail", func() bool { return failed.Load() > 0 })
			service(t, fault.mend, "mosquitto")
			if fault.mend == "start" {
				subscribe(t, m.Topic, got)
			}
			again := count()
			eventually(t, "messages flow again", func() bool { return count() > again+100 })
			close(stop)
			senders.Wait()

			// Those of the last second went to the subscription that is there.
			mu.Lock()
			last := acknowledged[again+50:]
			mu.Unlock()
			eventually(t, "what was acknowledged last arrives", func() bool { return len(got.missing(last)) == 0 })
			t.Logf("%d acknowledged, %d failed", count(), failed.Load())
		})
	}
}

// Each event is sent again until it is taken, and none may pay for the outage.
func TestMosquittoThatIsAwayCostsNoEventItsAttempts(t *testing.T) {
	for _, end := range []string{"stop", "kill"} {
		t.Run(end, func(t *testing.T) {
			m := &MQTT{Address: setting(t, "KEG_TEST_MQTT"), Topic: mosquittoTopic(), QoS: 1}
			load := startLoad(t, openSink(t, newPool(t), mqttDestination(m)), time.Second)
			load.more(100)
			service(t, end, "mosquitto")
			load.failing()
			time.Sleep(5 * time.Second)
			service(t, "start", "mosquitto")
			got := &subscription{ids: map[string]int{}}
			subscribe(t, m.Topic, got)
			subscribed := time.Now()
			load.more(200)
			load.end()
			if most := load.report(); most > maxSpent {
				t.Errorf("an event spent %d attempts on an outage", most)
			}
			var since []string
			for id, at := range load.taken {
				if at.After(subscribed) {
					since = append(since, id)
				}
			}
			eventually(t, "what was taken since arrives", func() bool { return len(got.missing(since)) == 0 })
			got.mu.Lock()
			defer got.mu.Unlock()
			for id, n := range got.ids {
				if n > load.tries[id] {
					t.Errorf("%s arrived %d times after %d Sends", id, n, load.tries[id])
				}
			}
		})
	}
}

func TestMosquittoHasTheTopicOfTheTemplate(t *testing.T) {
	base := mosquittoTopic()
	got := &subscription{ids: map[string]int{}}
	subscribe(t, base+"/order.created/blue", got)
	sink := openSink(t, newPool(t), mqttDestination(&MQTT{Address: setting(t, "KEG_TEST_MQTT"), Topic: base + "/{type}/{tenant}", QoS: 1}))
	e := webhook("7")
	e.Extensions = map[string]string{"tenant": "blue"}
	if err := sendOne(t, sink, e); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the event is at its topic", func() bool { return len(got.missing([]string{"7"})) == 0 })
	if err := sendOne(t, sink, webhook("8")); !keg.IsPermanent(err) || !strings.Contains(err.Error(), "tenant") {
		t.Errorf("%v, want a permanent error that names the attribute", err)
	}
}
