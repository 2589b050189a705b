package sinktest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/kong/keg"
)

func endedBefore(t *testing.T, target *Target) {
	sink := open(t, target, nil)
	for name, open := range map[string]bool{"with no client yet": false, "with an open client": true} {
		if open {
			if err := send(t, sink, event("first", nil)); err != nil {
				t.Fatalf("Send: %v", err)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		err := sink.Send(ctx, event("late", nil))
		presentable(t, err)
		if !errors.Is(err, context.Canceled) || keg.IsPermanent(err) {
			t.Errorf("%s: Send: %v, want a transient error that wraps context.Canceled", name, err)
		}
	}
}

func endedDuring(t *testing.T, target *Target) {
	sink := open(t, target, nil)
	if err := send(t, sink, event("first", nil)); err != nil {
		t.Fatalf("Send: %v", err)
	}
	target.Wire.Hang()
	ctx, cancel := context.WithCancel(context.Background())
	answer := make(chan error, 1)
	go func() { answer <- sink.Send(ctx, event("cut short", nil)) }()
	var err error
	select {
	case err = <-answer: // a client that notices the broken connection may fail at once
		cancel()
	case <-time.After(100 * time.Millisecond):
		cancelled := time.Now()
		cancel()
		err = <-answer
		if took := time.Since(cancelled); took > 2*time.Second {
			t.Errorf("Send returned %v after its context ended", took)
		}
	}
	presentable(t, err)
	if err == nil || keg.IsPermanent(err) {
		t.Errorf("Send: %v, want a transient error", err)
	}
}

func neverThere(t *testing.T, target *Target) {
	target.Wire.Cut()
	sink := open(t, target, nil)
	fails(t, sink)
	comesBack(t, target, sink)
}

func goesAway(t *testing.T, target *Target) {
	sink := open(t, target, nil)
	if err := send(t, sink, event("before", nil)); err != nil {
		t.Fatalf("Send: %v", err)
	}
	target.Wire.Cut()
	fails(t, sink)
	comesBack(t, target, sink)
}

func hangs(t *testing.T, target *Target) {
	sink := open(t, target, nil)
	if err := send(t, sink, event("before", nil)); err != nil {
		t.Fatalf("Send: %v", err)
	}
	target.Wire.Hang()
	fails(t, sink)
	comesBack(t, target, sink)
}

func hangsFromTheStart(t *testing.T, target *Target) {
	target.Wire.Hang()
	sink := open(t, target, nil)
	fails(t, sink)
	comesBack(t, target, sink)
}

// closedPort ends the server for good: whether a sink has met it or not, what it
// reports then is an outage.
func closedPort(t *testing.T, target *Target) {
	known := openLeft(t, target, nil)
	if err := send(t, known, event("before", nil)); err != nil {
		t.Fatalf("Send: %v", err)
	}
	if err := target.Wire.Close(); err != nil {
		t.Fatal(err)
	}
	// A connection that was there may break under the first.
	for start := time.Now(); ; {
		err := send(t, known, event("after", nil))
		if keg.IsUnreachable(err) {
			break
		}
		if err == nil || keg.IsPermanent(err) || time.Since(start) > patience {
			t.Fatalf("Send by a sink that was connected: %v, want an outage", err)
		}
	}
	closeSink(t, known) // and with it the client, so that the next sink has its own
	fresh := open(t, target, nil)
	for range 3 {
		if err := send(t, fresh, event("never", nil)); !keg.IsUnreachable(err) {
			t.Errorf("Send to a port that nobody listens on: %v, want an outage", err)
		}
	}
}

// fails checks that Sends end in transient errors within their time, a few in a
// row: a client may behave differently once it has noticed.
func fails(t *testing.T, sink keg.Sink) {
	t.Helper()
	const limit = 700 * time.Millisecond
	for range 4 {
		start := time.Now()
		err := sendWithin(t, sink, event("away", nil), limit)
		switch {
		case err == nil:
			t.Fatal("Send said yes although nobody is there")
		case keg.IsPermanent(err):
			t.Fatalf("Send: %v: this must be transient", err)
		}
		if took := time.Since(start); took > limit+2*time.Second {
			t.Errorf("Send took %v, its context ended after %v", took, limit)
		}
	}
}

// comesBack mends the wire and checks that the sink finds its way by itself.
func comesBack(t *testing.T, target *Target, sink keg.Sink) {
	t.Helper()
	target.Wire.Mend()
	start := time.Now()
	for {
		err := sendWithin(t, sink, event("back", nil), 2*time.Second)
		if err == nil {
			break
		}
		if time.Since(start) > patience {
			t.Fatalf("the sink did not recover within %v: %v", patience, err)
		}
		time.Sleep(20 * time.Millisecond) // between attempts, as the hub's backoff would
	}
	t.Logf("recovered after %v", time.Since(start).Round(time.Millisecond))
	if got := times(t, target); got["back"] == 0 {
		t.Error("Send said yes, and the event did not arrive")
	}
}

func refuses(t *testing.T, target *Target) {
	if len(target.Refusals) == 0 {
		t.Fatal("the target names no refusal")
	}
	for _, r := range target.Refusals {
		t.Run(r.Name, func(t *testing.T) {
			sink := open(t, target, func(d *keg.Destination) {
				if r.Settings != nil {
					d.Settings = r.Settings()
				}
			})
			if r.Begin != nil {
				r.Begin()
			}
			e := event("refused", []byte(`{}`))
			if r.Event != nil {
				r.Event(e)
			}
			err := send(t, sink, e)
			var tooLarge *keg.TooLargeError
			switch {
			case !keg.IsPermanent(err):
				t.Errorf("Send: %v, want a permanent error", err)
			case keg.IsUnreachable(err):
				t.Errorf("Send: %v: a refusal is no outage", err)
			case errors.As(err, &tooLarge) != r.TooLarge:
				t.Errorf("Send: %v: that it is too large must be told by a TooLargeError: %t", err, r.TooLarge)
			}
			if r.End != nil {
				r.End()
			}
		})
	}
	// What refused one event takes the next.
	if err := send(t, open(t, target, nil), event("welcome", []byte(`{}`))); err != nil {
		t.Errorf("Send after the refusals: %v", err)
	}
}
