package hub

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

const withGrave = `
routes:
- name: orders
	match: {}
	destinations: [{type: fake, address: a}]
	dead_letter: {type: fake, address: grave, retry: {max_attempts: 2}}
`

type statusError int

func (statusError) Error() string     { return "answered 403\r\nX-Forged: 1" }
func (s statusError) HTTPStatus() int { return int(s) }

func TestDeadLetter(t *testing.T) {
	tests := []struct {
		name   string
		send   sendFunc
		ack    keg.Ack
		buried bool
		reason string
	}{
		{"refused for good", fails(keg.Permanent(errDown)), keg.AckDelivered, true, "refused"},
		{"attempts spent", fails(errDown), keg.AckDelivered, true, "exhausted"},
		{"a panic", panics, keg.AckDelivered, true, "internal"},
		{"no answer in time: the sender hears it and has the event", hangs, keg.AckDelivered, false, ""},
		{"refused, and nobody waits", fails(keg.Permanent(errDown)), keg.AckNone, true, "refused"},
		{"no answer in time, and nobody waits", hangs, keg.AckNone, true, "expired"},
		{"taken", nil, keg.AckDelivered, false, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t, Options{})
				k.on("a", test.send)
				k.on("grave", inTurn(errDown)) // tried again, as every delivery
				p := k.port(t, PortOptions{Table: parse(t, withGrave), Ack: test.ack})
				p.Publish(t.Context(), event("1"))
				if err := p.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				d := k.observed()[0].Receipt.Deliveries[0]
				if d.DeadLettered != test.buried || len(k.got("grave")) == 1 != test.buried {
					t.Fatalf("%+v, %d in the grave", d, len(k.got("grave")))
				}
				if s := k.Stats(); s.Lost != 0 || s.DeadLettered == 1 != test.buried {
					t.Errorf("%+v", s)
				}
				if !test.buried {
					return
				}
				if d.Err == nil {
					t.Error("the sender does not hear the error")
				}
				dead := k.got("grave")[0]
				if got := dead.Headers.Get("keg-dlq-reason"); got != test.reason {
					t.Errorf("reason %q", got)
				}
				dead.Headers = nil
				if diff := cmp.Diff(event("1"), dead); diff != "" {
					t.Errorf("the event was changed: %s", diff)
				}
			})
		})
	}
}

func TestDeadLettersStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Options{})
		k.on("a", inTurn(keg.RetryAfter(errDown, 2*time.Second), keg.Permanent(statusError(403))))
		p := k.port(t, PortOptions{Table: parse(t, withGrave), ForwardHeaders: []string{"x-tenant"}})
		e := event("1")
		e.Headers = keg.Headers{"x-tenant": {"7"}, "keg-dlq-route": {"forged"}, "keg-dlq-tenant": {"forged"}}
		p.Publish(t.Context(), e)
		want := keg.Headers{
			"x-tenant": {"7"}, "keg-dlq-reason": {"refused"}, "keg-dlq-error": {"answered 403  X-Forged: 1"},
			"keg-dlq-status": {"403"}, "keg-dlq-attempts": {"2"}, "keg-dlq-route": {"orders"}, "keg-dlq-destination": {"fake://a"},
			"keg-dlq-first-time": {"2000-01-01T00:00:00Z"}, "keg-dlq-last-time": {"2000-01-01T00:00:02Z"},
		}
		if diff := cmp.Diff(want, k.got("grave")[0].Headers); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDeadLetterThatCannotBeWritten(t *testing.T) {
	for _, ack := range []keg.Ack{keg.AckDelivered, keg.AckNone} {
		t.Run(string(ack), func(t *testing.T) {
			k := newKit(t, Options{})
			refusal, full := errors.New("refusal"), errors.New("grave is full")
			k.on("a", fails(keg.Permanent(refusal)))
			k.on("grave", fails(keg.Permanent(full)))
			p := k.port(t, PortOptions{Table: parse(t, withGrave), Ack: ack})
			p.Publish(t.Context(), event("1"))
			if err := p.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			d := k.observed()[0].Receipt.Deliveries[0]
			if d.DeadLettered || !errors.Is(d.Err, refusal) || errors.Is(d.Err, full) {
				t.Errorf("%+v", d)
			}
			if lost := k.Stats().Lost; (lost == 1) != (ack == keg.AckNone) {
				t.Errorf("%d lost", lost)
			}
			if log := k.log.String(); !strings.Contains(log, "grave is full") || !strings.Contains(log, "refusal") || !strings.Contains(log, "id=1") {
				t.Errorf("log %q", log)
			}
		})
	}
}

func TestDeadLetterOnlyAtTheDestinationThatFailed(t *testing.T) {
	k := newKit(t, Options{})
	k.on("b", fails(keg.Permanent(errDown)))
	p := k.port(t, PortOptions{Table: parse(t, strings.Replace(withGrave, "[{type: fake, address: a}]", "[{type: fake, address: a}, {type: fake, address: b}]", 1))})
	r := p.Publish(context.Background(), event("1"))[0]
	if r.Deliveries[0].DeadLettered || !r.Deliveries[1].DeadLettered || len(k.got("grave")) != 1 {
		t.Errorf("%+v", r)
	}
}
