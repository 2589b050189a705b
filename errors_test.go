package keg_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/kong/keg"
)

func TestAnErrorsTypeSaysWhatToDoNext(t *testing.T) {
	for name, test := range map[string]struct {
		err       error
		permanent bool
		gone      bool
		outage    bool
		after     time.Duration
		asked     bool
	}{
		"transient":                  {err: io.ErrUnexpectedEOF},
		"permanent":                  {err: keg.Permanent(io.ErrUnexpectedEOF), permanent: true},
		"permanent, wrapped":         {err: fmt.Errorf("kafka: %w", keg.Permanent(io.EOF)), permanent: true},
		"retry-after":                {err: keg.RetryAfter(io.EOF, 3*time.Second), after: 3 * time.Second, asked: true},
		"retry-after, wrapped":       {err: fmt.Errorf("http: %w", keg.RetryAfter(io.EOF, 0)), asked: true},
		"retry-after, in the past":   {err: keg.RetryAfter(io.EOF, -time.Hour), asked: true},
		"gone":                       {err: keg.Gone(io.EOF), gone: true, permanent: true},
		"gone, wrapped":              {err: fmt.Errorf("http: %w", keg.Gone(io.EOF)), gone: true, permanent: true},
		"an outage":                  {err: keg.Unreachable(io.EOF), outage: true},
		"an outage, wrapped":         {err: fmt.Errorf("mqtt: %w", keg.Unreachable(io.EOF)), outage: true},
		"a context's end":            {err: context.DeadlineExceeded},
		"joined, one of them final":  {err: errors.Join(io.EOF, keg.Permanent(io.EOF)), permanent: true},
		"no error is not permanent":  {err: nil},
		"a refusal is not permanent": {err: &keg.BusyError{Problem: "full", After: time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := keg.IsPermanent(test.err); got != test.permanent {
				t.Errorf("permanent: %t", got)
			}
			if got := keg.IsGone(test.err); got != test.gone {
				t.Errorf("gone: %t", got)
			}
			if got := keg.IsUnreachable(test.err); got != test.outage {
				t.Errorf("unreachable: %t", got)
			}
			if after, asked := keg.RetryDelay(test.err); after != test.after || asked != test.asked {
				t.Errorf("retry after %s, %t", after, asked)
			}
		})
	}
}

func TestAMarkedErrorIsStillTheErrorItWas(t *testing.T) {
	for _, err := range []error{keg.Permanent(io.EOF), keg.Gone(io.EOF), keg.Unreachable(io.EOF), keg.RetryAfter(io.EOF, time.Second)} {
		if !errors.Is(err, io.EOF) || err.Error() != io.EOF.Error() {
			t.Errorf("%v", err)
		}
	}
}

func TestATooLargeEventSaysHowLargeItMayBeWhereThatIsKnown(t *testing.T) {
	for err, want := range map[keg.TooLargeError]string{
		{What: "batch", Limit: 1000, Unit: "events"}: "the batch is larger than 1000 events",
		{What: "event"}: "the event is too large",
	} {
		if got := err.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestProblemsAreTakenApartInOrder(t *testing.T) {
	a, b, c := errors.New("a"), fmt.Errorf("b: %w", io.EOF), errors.New("c")
	both := fmt.Errorf("%w, after %w", a, c)
	for name, test := range map[string]struct {
		err  error
		want []error
	}{
		"none":             {nil, nil},
		"one":              {a, []error{a}},
		"one that wraps":   {b, []error{b}},
		"joined":           {errors.Join(a, nil, b), []error{a, b}},
		"joined in joined": {errors.Join(errors.Join(a, b), c), []error{a, b, c}},
		"several in words": {both, []error{both}},
	} {
		if got := keg.Problems(test.err); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
