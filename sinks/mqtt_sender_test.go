package sinks

import (
	"context"
	"strings"
	"testing"
	"time"

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

// transient fails the test unless err is one, with text in it. Unsent is the
// same of an outage.
func transient(t *testing.T, err error, text string) { t.Helper(); is(t, err, "transient", text) }
func unsent(t *testing.T, err error, text string)    { t.Helper(); is(t, err, "outage", text) }

func is(t *testing.T, err error, want, text string) {
	t.Helper()
	if got := class(err); got != want || !strings.Contains(err.Error(), text) {
		t.Errorf("%v is %s, want %s with %q", err, got, want, text)
	}
}

func sendMQTT(t *testing.T, limit time.Duration, sink keg.Sink) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	began := time.Now()
	err := sink.Send(ctx, webhook("1"))
	if took := time.Since(began); took > limit+5*time.Second {
		t.Errorf("Send took %v of %v", took, limit)
	}
	return err
}
