package hub

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kong/keg"
)

type sinkFunc sendFunc

func (f sinkFunc) Send(ctx context.Context, e *keg.Event) error { return f(ctx, e) }
func (sinkFunc) Close() error                                   { return nil }

func outletOf(send sendFunc, d keg.Destination) *outlet {
	if d.Retry.MaxAttempts == 0 {
		d.Retry.MaxAttempts = 3
	}
	d.Name = "fake://a"
	return &outlet{route: "r", destination: &d, sink: sinkFunc(send), lane: &lane{}}
}

func TestAttempts(t *testing.T) {
	busy := func(after time.Duration) error { return keg.RetryAfter(errors.New("429"), after) }
	refusal := keg.Permanent(errors.New("403"))
	tests := []struct {
		name        string
		send        sendFunc
		destination keg.Destination
		budget      time.Duration // 10 s where 0

		ending   ending
		attempts int
		is       []error       // all that the error wraps
		least    time.Duration // that it takes
		most     time.Duration
	}{
		{name: "taken at once", send: inTurn(), attempts: 1},
		{name: "a transient error is tried again", send: inTurn(errDown, errDown), attempts: 3, most: 600 * time.Millisecond},
		{name: "attempts spent: the last error is kept", send: inTurn(errors.New("x"), errors.New("y"), errDown),
			ending: spent, attempts: 3, is: []error{errDown}, most: 600 * time.Millisecond},
		{name: "max_attempts 1 never waits", send: fails(errDown), destination: keg.Destination{Retry: keg.Retry{MaxAttempts: 1}},
			ending: spent, attempts: 1, is: []error{errDown}},
		{name: "a refusal ends at once", send: fails(refusal), ending: refused, attempts: 1, is: []error{refusal}},
		{name: "a refusal ends the second attempt", send: inTurn(errDown, refusal), ending: refused, attempts: 2,
			is: []error{refusal}, most: 200 * time.Millisecond},
		{name: "Retry-After is obeyed", send: inTurn(busy(3 * time.Second)), attempts: 2, least: 3 * time.Second, most: 3 * time.Second},
		{name: "Retry-After 0 leaves the backoff", send: inTurn(busy(0)), attempts: 2, most: 200 * time.Millisecond},
		{name: "a Retry-After beyond the budget ends at once, and is no time-out", send: fails(busy(11 * time.Second)),
			ending: late, attempts: 1},
		{name: "a Retry-After of a year is obeyed for five minutes", send: inTurn(busy(365 * 24 * time.Hour)), budget: time.Hour,
			attempts: 2, least: 5 * time.Minute, most: 5 * time.Minute},
		{name: "a destination that hangs takes the whole budget", send: hangs, ending: late, attempts: 1,
			is: []error{context.DeadlineExceeded}, least: 10 * time.Second, most: 10 * time.Second},
		{name: "what came before the hang is kept", send: func() sendFunc {
			n := 0
			return func(ctx context.Context, e *keg.Event) error {
				if n++; n == 1 {
					return errDown
				}
				return hangs(ctx, e)
			}
		}(), ending: late, attempts: 2, is: []error{context.DeadlineExceeded, errDown}, least: 10 * time.Second, most: 10 * time.Second},
		{name: "an error of its own at the end of time does not hide that time ended", send: func(ctx context.Context, _ *keg.Event) error {
			<-ctx.Done()
			return errDown
		}, ending: late, attempts: 1, is: []error{context.DeadlineExceeded, errDown}, least: 10 * time.Second, most: 10 * time.Second},
		{name: "no wait is begun that the budget does not reach", send: fails(errDown), budget: 5 * time.Millisecond,
			destination: keg.Destination{Retry: keg.Retry{MaxAttempts: 1000, Backoff: time.Hour, MaxBackoff: time.Hour}},
			ending:      late, attempts: 1, is: []error{context.DeadlineExceeded, errDown}},
		{name: "an attempt has its own time", send: hangs, destination: keg.Destination{Timeout: time.Second},
			ending: spent, attempts: 3, is: []error{context.DeadlineExceeded}, least: 3 * time.Second, most: 3600 * time.Millisecond},
		{name: "the attempt's time does not outlast the budget", send: hangs, destination: keg.Destination{Timeout: time.Minute},
			ending: late, attempts: 1, is: []error{context.DeadlineExceeded}, least: 10 * time.Second, most: 10 * time.Second},
		{name: "a yes at the last moment is a yes", send: func(ctx context.Context, _ *keg.Event) error {
			<-ctx.Done()
			return nil
		}, attempts: 1, least: 10 * time.Second, most: 10 * time.Second},
		{name: "a panic is not tried again", send: panics, ending: broken, attempts: 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if test.budget == 0 {
					test.budget = 10 * time.Second
				}
				ctx, cancel := context.WithTimeout(t.Context(), test.budget)
				defer cancel()
				start := time.Now()
				out := try(ctx, outletOf(test.send, test.destination), event("1"))
				took := time.Since(start)

				if out.ending != test.ending || out.attempts != test.attempts {
					t.Errorf("ended %q after %d attempts, want %q after %d (%v)", out.ending, out.attempts, test.ending, test.attempts, out.err)
				}
				if (out.err == nil) != (test.ending == taken) {
					t.Errorf("error %v", out.err)
				}
				for _, is := range test.is {
					if !errors.Is(out.err, is) {
						t.Errorf("%q does not wrap %q", out.err, is)
					}
				}
				if took < test.least || took > test.most {
					t.Errorf("took %v, want %v to %v", took, test.least, test.most)
				}
				if out.first.IsZero() || out.first.Before(start) || out.last.Before(out.first) {
					t.Errorf("first %v, last %v, start %v", out.first, out.last, start)
				}
			})
		})
	}
}

func TestRetryAfterThatDoesNotFitKeepsTheDestinationsWord(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	out := try(ctx, outletOf(fails(keg.RetryAfter(errDown, time.Minute)), keg.Destination{}), event("1"))
	if after, ok := keg.RetryDelay(out.err); !ok || after != time.Minute {
		t.Errorf("RetryDelay is %v, %v", after, ok)
	}
	if errors.Is(out.err, context.DeadlineExceeded) {
		t.Errorf("%v: the destination did answer in time", out.err)
	}
}

func TestSenderGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		out := try(ctx, outletOf(hangs, keg.Destination{}), event("1"))
		if out.ending != canceled || !errors.Is(out.err, context.Canceled) || errors.Is(out.err, context.DeadlineExceeded) {
			t.Errorf("ended %q: %v", out.ending, out.err)
		}
		out = try(ctx, outletOf(inTurn(), keg.Destination{}), event("1"))
		if out.attempts != 0 || out.ending != canceled || !strings.Contains(out.err.Error(), "not attempted") {
			t.Errorf("%d attempts for a sender that has gone, ended %q: %v", out.attempts, out.ending, out.err)
		}
	})
}

func TestSenderGoneWhileWaitingForTheNextAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		out := try(ctx, outletOf(fails(keg.RetryAfter(errDown, time.Minute)), keg.Destination{}), event("1"))
		if !errors.Is(out.err, context.Canceled) || !errors.Is(out.err, errDown) || out.attempts != 1 {
			t.Errorf("after %d attempts: %v", out.attempts, out.err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("noticed after %v", took)
		}
	})
}

func TestPanicTellsTheLogAndNotTheSender(t *testing.T) {
	out := try(t.Context(), outletOf(panics, keg.Destination{}), event("1"))
	var fault *PanicError
	if !errors.As(out.err, &fault) {
		t.Fatalf("%v", out.err)
	}
	if strings.Contains(fault.Error(), "bug") {
		t.Errorf("a sender would read %q", fault.Error())
	}
	if !strings.Contains(fault.Cause(), "a bug") || !strings.Contains(fault.Cause(), "fake_test.go") {
		t.Errorf("the log would read %q", fault.Cause())
	}
}
