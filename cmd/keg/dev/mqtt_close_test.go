package dev

import (
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// A broker that is closed while its clients leave once hung for ever.
func TestTheBrokerClosesWhileClientsComeAndGo(t *testing.T) {
	for range 50 {
		broker, err := StartMQTT("127.0.0.1:0", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		var clients sync.WaitGroup
		leave := make(chan struct{})
		for range 8 {
			c := connectMQTT(t, broker.Addr())
			clients.Go(func() {
				<-leave
				_ = c.Close()
			})
		}
		closed := make(chan struct{})
		close(leave)
		go func() {
			defer close(closed)
			broker.Close()
		}()
		select {
		case <-closed:
		case <-time.After(20 * time.Second):
			t.Fatal("the broker does not close")
		}
		clients.Wait()
	}
}

// The server's own end of clients is what hangs, too seldom for the test above
// to meet it each time.
func TestTheListenerEndsItsClientsItself(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	MQTTListener("test", l).Close(func(string) { t.Error("the server is asked to end its clients") })
}

// A client that stays is not waited for.
func TestTheBrokerClosesUnderAClientThatStays(t *testing.T) {
	broker, err := StartMQTT("127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	stays := connectMQTT(t, broker.Addr())
	broker.Close()
	_ = stays.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := packets.ReadPacket(stays); err == nil {
		t.Error("the broker is closed and still speaks")
	} else if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Error("the broker is closed and its client still connected")
	}
}

// connectMQTT is a client with a clean session.
func connectMQTT(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	hello := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	hello.ProtocolName, hello.ProtocolVersion, hello.CleanSession = "MQTT", 4, true
	hello.ClientIdentifier = c.LocalAddr().String()
	if err := hello.Write(c); err != nil {
		t.Fatal(err)
	}
	if _, err := packets.ReadPacket(c); err != nil {
		t.Fatal(err)
	}
	return c
}
