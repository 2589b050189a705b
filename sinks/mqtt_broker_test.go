package sinks

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
	mochi "github.com/mochi-mqtt/server/v2"
	mochipackets "github.com/mochi-mqtt/server/v2/packets"

	"github.com/kong/keg"
	"github.com/kong/keg/cloudevents"
	"github.com/kong/keg/cmd/keg/dev"
	"github.com/kong/keg/sinks/sinktest"
)

// mqttBroker is a real broker in this process. It keeps what it is sent, from
// before it acknowledges it.
type mqttBroker struct {
	mochi.HookBase
	wire   *sinktest.Wire
	server *mochi.Server

	// password, where it is not empty, is what every connection must bring.
	password string
	// mute takes messages and acknowledges nothing.
	mute bool

	once sync.Once
	mu   sync.Mutex
	got  []mochipackets.Packet
	from []string // client ids of connections, in order
}

func startBroker(t testing.TB, password string, secure func(net.Listener) net.Listener) *mqttBroker {
	t.Helper()
	wire, err := sinktest.Listen()
	if err != nil {
		t.Fatal(err)
	}
	b := &mqttBroker{wire: wire, password: password}
	b.serve(t, wire, secure)
	t.Cleanup(b.stop)
	return b
}

// stop ends the broker and frees its port. It may be called again.
func (b *mqttBroker) stop() {
	b.once.Do(func() {
		_ = b.server.Close()
		_ = b.wire.Close()
	})
}

func (b *mqttBroker) serve(t testing.TB, l net.Listener, secure func(net.Listener) net.Listener) {
	t.Helper()
	if secure != nil {
		l = secure(l)
	}
	b.server = mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	for _, err := range []error{
		b.server.AddHook(b, nil),
		b.server.AddListener(dev.MQTTListener("test", l)),
		b.server.Serve(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (b *mqttBroker) addr() string { return b.wire.Addr().String() }

// The hooks of the broker.

func (b *mqttBroker) ID() string { return "test" }

func (b *mqttBroker) Provides(hook byte) bool {
	return bytes.Contains([]byte{mochi.OnConnectAuthenticate, mochi.OnACLCheck, mochi.OnPublish}, []byte{hook})
}

func (b *mqttBroker) OnConnectAuthenticate(client *mochi.Client, p mochipackets.Packet) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.from = append(b.from, client.ID)
	return b.password == "" || string(p.Connect.Password) == b.password
}

func (b *mqttBroker) OnACLCheck(*mochi.Client, string, bool) bool { return true }

func (b *mqttBroker) OnPublish(_ *mochi.Client, p mochipackets.Packet) (mochipackets.Packet, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p.Payload = bytes.Clone(p.Payload)
	b.got = append(b.got, p)
	if b.mute {
		return p, mochipackets.ErrRejectPacket
	}
	return p, nil
}

func (b *mqttBroker) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func (b *mqttBroker) messages() []mochipackets.Packet {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]mochipackets.Packet(nil), b.got...)
}

func (b *mqttBroker) connections() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.from...)
}

func (b *mqttBroker) arrived(context.Context) ([]sinktest.Arrival, error) {
	var all []sinktest.Arrival
	for _, p := range b.messages() {
		e, err := cloudevents.FromMQTT(cloudevents.Message{Broker: b.addr(), Topic: p.TopicName, Payload: p.Payload})
		if err != nil {
			return nil, err
		}
		all = append(all, sinktest.Arrival{Event: e, Body: p.Payload})
	}
	return all, nil
}

func (b *mqttBroker) settings() *MQTT {
	m := &MQTT{Address: b.addr(), Topic: "orders/{type}", QoS: 1}
	if b.password != "" {
		m.Username, m.Password = "keg", keg.NewSecret(b.password)
	}
	return m
}

func mqttDestination(settings *MQTT) *keg.Destination {
	return &keg.Destination{Type: "mqtt", Name: settings.Label(), Format: keg.FormatStructured, Settings: settings}
}

// scripted is a broker that does nothing of its own accord: answer sees each
// packet of each connection, and writes what it likes.
func scripted(t *testing.T, answer func(c net.Conn, p packets.ControlPacket)) string {
	t.Helper()
	address := raw(t, func(c net.Conn) {
		for {
			p, err := packets.ReadPacket(c)
			if err != nil {
				return
			}
			answer(c, p)
		}
	})
	return address[len("http://"):]
}

func connack(c net.Conn, code byte) {
	p := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
	p.ReturnCode = code
	_ = p.Write(c)
}

func puback(c net.Conn, p *packets.PublishPacket) {
	ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	ack.MessageID = p.MessageID
	_ = ack.Write(c)
}
