package sinks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"go.uber.org/goleak"

	"github.com/kong/keg"
)

// hurried are waits for tests of what happens when they are over.
var hurried = mqttTimes{
	connect: 300 * time.Millisecond, ack: 300 * time.Millisecond, write: 300 * time.Millisecond,
	keepAlive: 30 * time.Second, ping: 10 * time.Second,
	firstPause: 10 * time.Millisecond, maxPause: 50 * time.Millisecond, steady: time.Hour,
}

func mqttSinkTo(t *testing.T, address string, times mqttTimes) keg.Sink {
	t.Helper()
	d := mqttDestination(&MQTT{Address: address, Topic: "orders", QoS: 1})
	sink, err := openMQTTWith(newPool(t), d, times)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sink.Close(); err != nil {
			t.Error(err)
		}
	})
	return sink
}

func noLeaks(t *testing.T) {
	already := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, already) })
}

// transient fails the test unless err is one, with text in it.
func transient(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || keg.IsPermanent(err) || !strings.Contains(err.Error(), text) {
		t.Errorf("%v, want a transient error with %q", err, text)
	}
}

func sendMQTT(t *testing.T, limit time.Duration, sink keg.Sink) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	began := time.Now()
	err := sink.Send(ctx, webhook("1"))
	if took := time.Since(began); took > limit+2*time.Second {
		t.Errorf("Send took %v of %v", took, limit)
	}
	return err
}

func TestMQTTBrokersThatRefuse(t *testing.T) {
	for code, text := range map[byte]string{
		1: "protocol version", 2: "identifier rejected", 3: "server Unavailable", 4: "bad user name or password", 5: "not Authorized",
		0x86: "", // an answer of MQTT 5, which paho takes for a good one
	} {
		t.Run(fmt.Sprintf("CONNACK %#x", code), func(t *testing.T) {
			noLeaks(t)
			address := scripted(t, func(c net.Conn, p packets.ControlPacket) {
				connack(c, code)
				_ = c.Close()
			})
			transient(t, sendMQTT(t, 10*time.Second, mqttSinkTo(t, address, hurried)), text)
		})
	}
}

func TestMQTTBrokersThatAreNone(t *testing.T) {
	noLeaks(t)
	for _, tt := range []struct {
		name string
		do   func(c net.Conn)
		text string
	}{
		{"closes at once", func(net.Conn) {}, "did not answer CONNECT"},
		{"speaks HTTP", func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }, "did not answer CONNECT"},
		{"is silent", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, "did not answer CONNECT within 300ms"},
		{"sends junk without end", func(c net.Conn) {
			for {
				if _, err := c.Write(make([]byte, 1000)); err != nil {
					return
				}
			}
		}, "did not answer CONNECT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address := raw(t, tt.do)[len("http://"):]
			transient(t, sendMQTT(t, 10*time.Second, mqttSinkTo(t, address, hurried)), tt.text)
		})
	}
}

func TestASilentBrokerHoldsNoSendLongerThanItsContext(t *testing.T) {
	noLeaks(t)
	address := raw(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })[len("http://"):]
	err := sendMQTT(t, 100*time.Millisecond, mqttSinkTo(t, address, defaultMQTTTimes))
	transient(t, err, "")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the end of the context", err)
	}
}

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
	transient(t, sendMQTT(t, 50*time.Millisecond, sink), "waiting behind 1000 messages")
	cancel()
	sends.Wait()
	transient(t, sendMQTT(t, 50*time.Millisecond, sink), "waiting behind 1000 messages")
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

func TestAStormOfSendsDoesNotHammerABrokerThatIsAway(t *testing.T) {
	noLeaks(t)
	var dialled atomic.Int32
	address := raw(t, func(net.Conn) { dialled.Add(1) })[len("http://"):]
	times := hurried
	times.firstPause, times.maxPause = 100*time.Millisecond, 200*time.Millisecond
	sink := mqttSinkTo(t, address, times)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var sends sync.WaitGroup
	for range 50 {
		sends.Go(func() {
			for ctx.Err() == nil {
				if err := sink.Send(ctx, webhook("1")); err == nil || keg.IsPermanent(err) {
					t.Errorf("%v, want a transient error", err)
				}
			}
		})
	}
	sends.Wait()
	// 1 s has room for one attempt, then 50 ms at least, then 100 ms at least each.
	if n := dialled.Load(); n < 2 || n > 12 {
		t.Errorf("%d connections in a second", n)
	}
}

func TestABrokerThatComesBackIsFound(t *testing.T) {
	broker := startBroker(t, "", nil)
	address := broker.addr()
	sink := mqttSinkTo(t, address, hurried)
	if err := sendMQTT(t, 10*time.Second, sink); err != nil {
		t.Fatal(err)
	}
	broker.stop()
	transient(t, sendMQTT(t, 200*time.Millisecond, sink), "")

	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	again := &mqttBroker{}
	again.serve(t, l, nil)
	t.Cleanup(func() { _ = again.server.Close() })
	eventually(t, "a message at the new broker", func() bool { return sendMQTT(t, time.Second, sink) == nil })
	if got := len(again.messages()); got == 0 {
		t.Error("Send said yes, and the broker has nothing")
	}
}

// Two nodes with one client_id throw each other out for ever. Nothing that is
// acknowledged may be lost by it, and the broker must not be run over.
func TestTwoClientsOfOneNameThrowEachOtherOutAndLoseNothing(t *testing.T) {
	noLeaks(t)
	broker := startBroker(t, "", nil)
	var acknowledged [2]int
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var nodes sync.WaitGroup
	for node := range acknowledged {
		d := mqttDestination(&MQTT{Address: broker.addr(), Topic: fmt.Sprintf("node/%d", node), QoS: 1, ClientID: "same"})
		sink, err := openMQTTWith(newPool(t), d, hurried)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = sink.Close() })
		nodes.Go(func() {
			for ctx.Err() == nil {
				if err := sink.Send(ctx, webhook("1")); err == nil {
					acknowledged[node]++
				} else if keg.IsPermanent(err) {
					t.Errorf("%v is permanent", err)
				}
			}
		})
	}
	nodes.Wait()
	got := map[string]int{}
	for _, p := range broker.messages() {
		got[p.TopicName]++
	}
	for node, n := range acknowledged {
		if arrived := got[fmt.Sprintf("node/%d", node)]; n == 0 || arrived < n {
			t.Errorf("node %d: %d acknowledged, %d arrived", node, n, arrived)
		}
	}
	if n := len(broker.connections()); n < 3 || n > 100 {
		t.Errorf("%d connections in a second", n)
	}
}

func TestThePauseBetweenConnectionsGrowsToItsLimit(t *testing.T) {
	d := newMQTTDialer(mqttKey{}, defaultMQTTTimes)
	for _, tt := range []struct {
		failures int
		longest  time.Duration
	}{{1, 100 * time.Millisecond}, {2, 200 * time.Millisecond}, {4, 800 * time.Millisecond}, {6, 2 * time.Second}, {1_000_000, 2 * time.Second}} {
		d.failures = tt.failures
		for range 100 {
			if got := d.pause(); got < tt.longest/2 || got > tt.longest {
				t.Fatalf("after %d failures %v, want %v to %v", tt.failures, got, tt.longest/2, tt.longest)
			}
		}
	}
}
