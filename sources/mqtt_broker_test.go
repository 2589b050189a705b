package sources

import (
	"bytes"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	mochi "github.com/mochi-mqtt/server/v2"
	mochipackets "github.com/mochi-mqtt/server/v2/packets"

	"github.com/kong/keg"
	"github.com/kong/keg/cmd/keg/dev"
	"github.com/kong/keg/sinks/sinktest"
)

// mqttBroker is a real broker in this process, behind a wire.
type mqttBroker struct {
	mochi.HookBase
	wire   *sinktest.Wire
	server *mochi.Server

	mu     sync.Mutex
	deny   bool // every connection
	forbid bool // every subscription
}

func startBroker(t testing.TB) *mqttBroker {
	t.Helper()
	wire, err := sinktest.Listen()
	if err != nil {
		t.Fatal(err)
	}
	b := &mqttBroker{wire: wire}
	b.server = mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler), InlineClient: true})
	for _, err := range []error{
		b.server.AddHook(b, nil),
		b.server.AddListener(dev.MQTTListener("test", wire)),
		b.server.Serve(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		_ = b.server.Close()
		_ = b.wire.Close()
	})
	return b
}

func (b *mqttBroker) ID() string { return "test" }

func (b *mqttBroker) Provides(hook byte) bool {
	return bytes.Contains([]byte{mochi.OnConnectAuthenticate, mochi.OnACLCheck}, []byte{hook})
}

func (b *mqttBroker) OnConnectAuthenticate(*mochi.Client, mochipackets.Packet) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.deny
}

func (b *mqttBroker) OnACLCheck(_ *mochi.Client, _ string, write bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return write || !b.forbid
}

func (b *mqttBroker) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func (b *mqttBroker) publish(t testing.TB, topic, payload string) {
	t.Helper()
	if err := b.server.Publish(topic, []byte(payload), false, 1); err != nil {
		t.Fatal(err)
	}
}

// events publishes the CloudEvents from and up to.
func (b *mqttBroker) events(t testing.TB, topic string, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		b.publish(t, topic, structured(fmt.Sprint(i)))
	}
}

func structured(id string) string {
	return `{"specversion":"1.0","id":"` + id + `","source":"/test","type":"test.event","data":{"id":` + id + `}}`
}

// unacknowledged counts what the broker waits for of a client.
func (b *mqttBroker) unacknowledged(client string) int {
	c, ok := b.server.Clients.Get(client)
	if !ok {
		return 0
	}
	return c.State.Inflight.Len()
}

func (b *mqttBroker) subscribed(client string) bool {
	c, ok := b.server.Clients.Get(client)
	return ok && !c.Closed() && c.State.Subscriptions.Len() > 0
}

func (b *mqttBroker) settings(topics ...string) *MQTTSettings {
	return &MQTTSettings{Address: b.wire.Addr().String(), Topics: topics, ClientID: "keg-test", QoS: 1, MaxInFlight: 1000}
}

// quick is a source with short waits.
func quick(t testing.TB, settings *MQTTSettings, o Options) keg.Source {
	t.Helper()
	source := openTest(t, config("mqtt", settings), o)
	m := source.(*mqtt)
	m.times.pause, m.times.connect, m.times.ping = 10*time.Millisecond, 2*time.Second, 2*time.Second
	return source
}

// fakeMessage is a message as paho hands it over, and counts acknowledgements.
type fakeMessage struct {
	paho.Message
	topic, payload string
	id             uint16
	qos            byte
	dup            bool
	acks           *int
}

func (m fakeMessage) Topic() string     { return m.topic }
func (m fakeMessage) Payload() []byte   { return []byte(m.payload) }
func (m fakeMessage) MessageID() uint16 { return m.id }
func (m fakeMessage) Qos() byte         { return m.qos }
func (m fakeMessage) Duplicate() bool   { return m.dup }
func (m fakeMessage) Ack()              { *m.acks++ }
