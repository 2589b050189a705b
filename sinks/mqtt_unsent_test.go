package sinks

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/kong/keg"
)

func TestMQTTBrokersThatAreNotThereAreOutages(t *testing.T) {
	noLeaks(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	_ = l.Close()
	for name, address := range map[string]string{
		"nobody listens":             closed,
		"nobody listens, TLS":        "ssl://" + closed,
		"nobody listens, WebSocket":  "ws://" + closed + "/mqtt",
		"no such name":               "broker.invalid:1883",
		"no WebSocket where one was": "ws://" + strings.TrimPrefix(serve(t, http.NotFound).URL, "http://") + "/mqtt",
		"no TLS where it was due":    "ssl://" + strings.TrimPrefix(serve(t, http.NotFound).URL, "http://"),
	} {
		t.Run(name, func(t *testing.T) {
			unsent(t, sendMQTT(t, 10*time.Second, mqttSinkTo(t, address, hurried)), "")
		})
	}
}

// Nothing of these is on the wire when the connection ends, however many there
// are: they go over the next one, within the same Send.
func TestAMessageThatWasNotWrittenGoesOverTheNextConnection(t *testing.T) {
	noLeaks(t)
	var first, connections atomic.Int32
	address := scripted(t, func(c net.Conn, p packets.ControlPacket) {
		switch p := p.(type) {
		case *packets.ConnectPacket:
			connections.Add(1)
			connack(c, packets.Accepted)
		case *packets.PublishPacket:
			if connections.Load() == 1 {
				first.Add(1)
				_ = c.Close()
				return
			}
			puback(c, p)
		}
	})
	sink := mqttSinkTo(t, address, hurried)
	var taken, lost atomic.Int32
	var sends sync.WaitGroup
	for range 100 {
		sends.Go(func() {
			switch err := sendMQTT(t, 20*time.Second, sink); class(err) {
			case "taken":
				taken.Add(1)
			case "transient":
				lost.Add(1)
			default:
				t.Errorf("%v is %s", err, class(err))
			}
		})
	}
	sends.Wait()
	// Those that were written when it broke may have arrived, and are not sent
	// again here; each of them has spent an attempt.
	if lost.Load() == 0 || taken.Load()+lost.Load() != 100 {
		t.Errorf("%d taken, %d in doubt; the broker saw %d on the connection that it broke", taken.Load(), lost.Load(), first.Load())
	}
}

// A peer that reads nothing blocks whoever writes, and with it all behind it.
func TestAMessageThatWaitsItsTurnInVainWasNotWritten(t *testing.T) {
	noLeaks(t)
	release := make(chan struct{})
	address := raw(t, func(c net.Conn) {
		if _, err := packets.ReadPacket(c); err == nil {
			connack(c, packets.Accepted)
			<-release
		}
	})[len("http://"):]
	times := hurried
	times.write, times.ack = time.Second, 20*time.Second
	sink := mqttSinkTo(t, address, times)
	large := webhook("1")
	large.Data = []byte(`"` + strings.Repeat("x", 12<<20) + `"`)
	ctx, cancel := context.WithCancel(context.Background())
	var sends sync.WaitGroup
	for range 2 { // one is being written by paho, one is handed to it
		sends.Go(func() {
			for ctx.Err() == nil {
				if err := sink.Send(ctx, large); keg.IsPermanent(err) || err == nil {
					t.Errorf("%v", err)
				}
			}
		})
	}
	eventually(t, "a message waits its turn", func() bool {
		err := sendMQTT(t, 300*time.Millisecond, sink)
		return class(err) == "outage" && strings.Contains(err.Error(), "waiting to write")
	})
	cancel()
	sends.Wait()
	close(release)
	time.Sleep(times.write) // for paho's Publish, which hears of nothing else
}
