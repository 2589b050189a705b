package sinks

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// A broker that takes messages and acknowledges none must cost neither memory
// nor the way back: the connection ends, and the next one is used.
func TestABrokerThatAcknowledgesNothingLosesItsConnection(t *testing.T) {
	noLeaks(t)
	broker := startBroker(t, "", nil)
	broker.set(func() { broker.mute = true })
	sink := mqttSinkTo(t, broker.addr(), hurried)

	err := sendMQTT(t, 50*time.Millisecond, sink)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v, want the end of the context", err)
	}
	transient(t, sendMQTT(t, 10*time.Second, sink), "acknowledged nothing in time")
	broker.set(func() { broker.mute = false })
	eventually(t, "the next connection works", func() bool { return sendMQTT(t, time.Second, sink) == nil })
	if n := len(broker.connections()); n < 2 {
		t.Errorf("%d connections, want a new one", n)
	}
}

func TestMessagesThatAreNotAcknowledgedAreBounded(t *testing.T) {
	noLeaks(t)
	broker := startBroker(t, "", nil)
	broker.set(func() { broker.mute = true })
	times := hurried
	times.ack = time.Minute
	sink := mqttSinkTo(t, broker.addr(), times)

	ctx, cancel := context.WithCancel(context.Background())
	var sends sync.WaitGroup
	for range maxUnacknowledged {
		sends.Go(func() {
			if err := sink.Send(ctx, webhook("1")); !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want the end of the context", err)
			}
		})
	}
	eventually(t, "all messages have arrived", func() bool { return len(broker.messages()) == maxUnacknowledged })
	unsent(t, sendMQTT(t, 50*time.Millisecond, sink), "waiting behind 1000 messages")
	cancel()
	sends.Wait()
	unsent(t, sendMQTT(t, 50*time.Millisecond, sink), "waiting behind 1000 messages")
	if got := len(broker.messages()); got != maxUnacknowledged {
		t.Errorf("%d messages were written, want no more than %d", got, maxUnacknowledged)
	}
}

// Mosquitto drops what is more than it allows of qos 2, and says yes to it.
func TestOneMessageOfQoS2IsOnItsWayAtATime(t *testing.T) {
	var now, most atomic.Int32
	address := scripted(t, func(c net.Conn, p packets.ControlPacket) {
		switch p := p.(type) {
		case *packets.ConnectPacket:
			connack(c, packets.Accepted)
		case *packets.PublishPacket:
			most.Store(max(most.Load(), now.Add(1)))
			received := packets.NewControlPacket(packets.Pubrec).(*packets.PubrecPacket)
			received.MessageID = p.MessageID
			_ = received.Write(c)
		case *packets.PubrelPacket:
			now.Add(-1)
			complete := packets.NewControlPacket(packets.Pubcomp).(*packets.PubcompPacket)
			complete.MessageID = p.MessageID
			_ = complete.Write(c)
		}
	})
	sink := openSink(t, newPool(t), mqttDestination(&MQTT{Address: address, Topic: "a", QoS: 2}))
	var sends sync.WaitGroup
	for range 100 {
		sends.Go(func() {
			if err := sendMQTT(t, 30*time.Second, sink); err != nil {
				t.Error(err)
			}
		})
	}
	sends.Wait()
	if n := most.Load(); n != maxExactlyOnce {
		t.Errorf("%d messages at once, want %d", n, maxExactlyOnce)
	}
}

func TestAConnectionCutBeforePUBACKFailsEverySendAtOnce(t *testing.T) {
	noLeaks(t)
	const senders = 50
	var arrived atomic.Int32
	address := scripted(t, func(c net.Conn, p packets.ControlPacket) {
		switch p.(type) {
		case *packets.ConnectPacket:
			connack(c, packets.Accepted)
		case *packets.PublishPacket:
			if arrived.Add(1) == senders {
				_ = c.Close()
			}
		}
	})
	sink := mqttSinkTo(t, address, defaultMQTTTimes)
	var sends sync.WaitGroup
	for range senders {
		sends.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			began := time.Now()
			transient(t, sink.Send(ctx, webhook("1")), "connection was lost")
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("heard after %v", took)
			}
		})
	}
	sends.Wait()
}

func TestAConnectionCutAfterPUBACKHasDelivered(t *testing.T) {
	noLeaks(t)
	var acknowledged atomic.Int32
	address := scripted(t, func(c net.Conn, p packets.ControlPacket) {
		switch p := p.(type) {
		case *packets.ConnectPacket:
			connack(c, packets.Accepted)
		case *packets.PublishPacket:
			acknowledged.Add(1)
			puback(c, p)
			_ = c.Close()
		}
	})
	times := hurried
	times.firstPause, times.maxPause = time.Millisecond, time.Millisecond
	sink := mqttSinkTo(t, address, times)
	delivered := int32(0)
	for range 100 {
		// A Send may still meet the connection that is about to be found cut; then
		// the broker saw nothing of it.
		if err := sendMQTT(t, 10*time.Second, sink); err == nil {
			delivered++
		}
	}
	if n := acknowledged.Load(); n != delivered || n < 10 {
		t.Errorf("%d messages were acknowledged, %d Sends heard of it", n, delivered)
	}
}

func TestAnAcknowledgementOfAnotherMessageIsNone(t *testing.T) {
	noLeaks(t)
	address := scripted(t, func(c net.Conn, p packets.ControlPacket) {
		switch p := p.(type) {
		case *packets.ConnectPacket:
			connack(c, packets.Accepted)
		case *packets.PublishPacket:
			p.MessageID += 7
			puback(c, p)
		}
	})
	transient(t, sendMQTT(t, 100*time.Millisecond, mqttSinkTo(t, address, hurried)), "acknowledgement")
}

func TestAConnectionLostWhileIdleCostsNoSend(t *testing.T) {
	noLeaks(t)
	broker := startBroker(t, "", nil)
	sink := mqttSinkTo(t, broker.addr(), hurried).(*mqttSink)
	for range 5 {
		if err := sendMQTT(t, 10*time.Second, sink); err != nil {
			t.Fatal(err)
		}
		c, err := sink.client(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		broker.wire.Cut()
		broker.wire.Mend()
		<-c.lost
	}
	if got := len(broker.connections()); got != 5 {
		t.Errorf("%d connections, want 5", got)
	}
}

// Paho looks at its connection when a Publish begins: one that ends before the
// message is handed over holds the Publish until its time-out.
func TestNothingIsHandedToAConnectionThatIsBeingClosed(t *testing.T) {
	address := scripted(t, func(c net.Conn, p packets.ControlPacket) {
		switch p := p.(type) {
		case *packets.ConnectPacket:
			connack(c, packets.Accepted)
		case *packets.PublishPacket:
			puback(c, p)
		}
	})
	d := newMQTTDialer(mqttKey{broker: "tcp://" + address}, defaultMQTTTimes)
	for range 200 {
		c, err := d.connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var senders sync.WaitGroup
		for range 4 {
			senders.Go(func() {
				for c.publish(t.Context(), "orders", 1, false, []byte("1")) == nil {
				}
			})
		}
		time.Sleep(time.Millisecond)
		began := time.Now()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		senders.Wait()
		eventually(t, "every message has left its slot", func() bool { return len(c.slots) == 0 })
		if took := time.Since(began); took > defaultMQTTTimes.write/2 {
			t.Fatalf("a message was held for %v", took)
		}
	}
}
