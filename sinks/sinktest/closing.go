package sinktest

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kong/keg"
)

func unused(t *testing.T, target *Target) {
	target.Wire.Cut() // nobody is to be dialled
	closeSink(t, openLeft(t, target, nil))
}

func leavesNothing(t *testing.T, target *Target) {
	already := goleak.IgnoreCurrent()
	for range 2 {
		// Two sinks share what they can; the first to close takes nothing from
		// the other.
		first, second := openLeft(t, target, nil), openLeft(t, target, nil)
		for _, sink := range []keg.Sink{first, second} {
			if err := send(t, sink, event("first", nil)); err != nil {
				t.Fatalf("Send: %v", err)
			}
		}
		closeSink(t, first)
		if err := send(t, second, event("second", nil)); err != nil {
			t.Errorf("Send after another sink's Close: %v", err)
		}
		closeSink(t, second)
	}
	goleak.VerifyNone(t, already)
}

func closesHanging(t *testing.T, target *Target) {
	already := goleak.IgnoreCurrent()
	sink := openLeft(t, target, nil)
	if err := send(t, sink, event("first", nil)); err != nil {
		t.Fatalf("Send: %v", err)
	}
	target.Wire.Hang()
	if err := sendWithin(t, sink, event("hanging", nil), 200*time.Millisecond); err == nil {
		t.Error("Send said yes although nothing answers")
	}
	closeSink(t, sink)
	target.Wire.Mend() // what the server's side held ends too
	goleak.VerifyNone(t, already)
}

func closesConnecting(t *testing.T, target *Target) {
	already := goleak.IgnoreCurrent()
	target.Wire.Hang()
	sink := openLeft(t, target, nil)
	if err := sendWithin(t, sink, event("hanging", nil), 200*time.Millisecond); err == nil {
		t.Error("Send said yes although nothing answers")
	}
	start := time.Now()
	closeSink(t, sink)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("Close took %v, with nothing to wait for", took)
	}
	target.Wire.Mend()
	goleak.VerifyNone(t, already)
}
