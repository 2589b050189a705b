package sinks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/kong/keg"
	"github.com/kong/keg/test/ports"
)

func TestMQTTBrokersThatRefuse(t *testing.T) {
	for code, text := range map[byte]string{
		1: "protocol version", 2: "identifier rejected", 3: "server Unavailable", 4: "bad user name or password", 5: "not Authorized",
		0x86: "refused the connection: code 0x86", // an answer of MQTT 5, which paho takes for a good one
	} {
		t.Run(fmt.Sprintf("CONNACK %#x", code), func(t *testing.T) {
			noLeaks(t)
			address := scripted(t, func(c net.Conn, p packets.ControlPacket) {
				connack(c, code)
				_ = c.Close()
			})
			unsent(t, sendMQTT(t, 10*time.Second, mqttSinkTo(t, address, hurried)), text)
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
			unsent(t, sendMQTT(t, 10*time.Second, mqttSinkTo(t, address, hurried)), tt.text)
		})
	}
}

func TestASilentBrokerHoldsNoSendLongerThanItsContext(t *testing.T) {
	noLeaks(t)
	address := raw(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })[len("http://"):]
	err := sendMQTT(t, 100*time.Millisecond, mqttSinkTo(t, address, defaultMQTTTimes))
	unsent(t, err, "")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the end of the context", err)
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
	if err := sendMQTT(t, 200*time.Millisecond, sink); err == nil || keg.IsPermanent(err) {
		t.Errorf("%v, want an error that is not for good", err)
	}

	l, err := ports.Listen(address)
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
