package main

import (
	"bytes"
	"strings"
	"testing"
)

// deliver is what the receiver does with an event that it takes.
func deliver(l *ledger, e event, told bool) {
	for _, d := range kinds[e.Kind].owed {
		if l.arrive(e, d) {
			l.take(e, d, told)
		}
	}
}

func acknowledged(l *ledger, k kind, key string) event {
	e := l.next(k, key, "")
	l.try(e)
	l.acknowledge(e)
	return e
}

func TestTheLedgerFindsEachFaultAndNoOther(t *testing.T) {
	for name, test := range map[string]struct {
		happens func(l *ledger)
		want    string // "" for no fault
	}{
		"all is well": {func(l *ledger) {
			for range 3 {
				deliver(l, acknowledged(l, ordered, "a"), true)
				deliver(l, acknowledged(l, fanned, "f"), true)
			}
		}, ""},
		"one is lost": {func(l *ledger) {
			deliver(l, acknowledged(l, ordered, "a"), true)
			acknowledged(l, ordered, "a")
		}, "never arrived"},
		"one of two destinations got nothing": {func(l *ledger) {
			e := acknowledged(l, fanned, "f")
			l.arrive(e, 1)
			l.take(e, 1, true)
		}, "/fanned-b: event run-0"},
		"one that nobody was promised is lost": {func(l *ledger) { l.try(l.next(ordered, "a", "")) }, ""},
		"one arrived and was not taken":        {func(l *ledger) { l.arrive(acknowledged(l, ordered, "a"), 0) }, "never arrived"},
		"two change places": {func(l *ledger) {
			first, second := acknowledged(l, ordered, "a"), acknowledged(l, ordered, "a")
			deliver(l, second, true)
			deliver(l, first, true)
		}, "came when 1 was not yet taken"},
		"one is tried before the one that failed": {func(l *ledger) {
			first, second := acknowledged(l, ordered, "a"), acknowledged(l, ordered, "a")
			l.arrive(first, 0)
			l.arrive(second, 0)
			deliver(l, first, true)
			deliver(l, second, true)
		}, "came when 1 was not yet taken"},
		"keys do not wait for each other": {func(l *ledger) {
			first, second := acknowledged(l, ordered, "a"), acknowledged(l, ordered, "b")
			deliver(l, second, true)
			deliver(l, first, true)
		}, ""},
		"what has no order has none": {func(l *ledger) {
			first, second := acknowledged(l, fanned, "f"), acknowledged(l, fanned, "f")
			deliver(l, second, true)
			deliver(l, first, true)
		}, ""},
		"after a kill it begins further back": {func(l *ledger) {
			first, second := acknowledged(l, ordered, "a"), acknowledged(l, ordered, "a")
			for range 2 {
				deliver(l, first, true)
				deliver(l, second, true)
				l.stopped()
			}
		}, ""},
		"repeats for no reason": {func(l *ledger) {
			for range 20 {
				e := acknowledged(l, ordered, "a")
				deliver(l, e, true)
				deliver(l, e, true)
			}
		}, "20 of 40 deliveries came again"},
		"repeats of what the receiver took in silence": {func(l *ledger) {
			for range 20 {
				e := acknowledged(l, ordered, "a")
				deliver(l, e, false)
				deliver(l, e, true)
			}
		}, ""},
		"an event that nobody sent": {func(l *ledger) { l.arrive(event{Run: "run", N: 7, Key: "a", Seq: 1}, 0) }, "nobody sent it"},
		"another's number": {func(l *ledger) {
			e := acknowledged(l, ordered, "a")
			deliver(l, e, true)
			e.Seq++
			l.arrive(e, 0)
		}, "nobody sent it"},
		"an event of another run":     {func(l *ledger) { l.arrive(event{Run: "before"}, 0) }, "another run"},
		"an event at the wrong place": {func(l *ledger) { e := acknowledged(l, ordered, "a"); deliver(l, e, true); l.arrive(e, 1) }, "owed to others"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger("run")
			test.happens(l)
			l.close()
			_, faults, count := l.sofar()
			switch {
			case test.want == "" && count > 0:
				t.Errorf("it finds %q", faults)
			case test.want != "" && (count != 1 || !strings.Contains(faults[0], test.want)):
				t.Errorf("it finds %q, want one with %q", faults, test.want)
			}
		})
	}
}

func TestEveryByteOfAnEventCounts(t *testing.T) {
	l := newLedger("run")
	e := l.next(ordered, "a", `pad "ä\`)
	text := e.encode()
	got, err := decode(text)
	got.Sum = ""
	if err != nil || got != e {
		t.Fatalf("%+v, %v", got, err)
	}
	for i := range text {
		for _, b := range []byte{text[i] ^ 1, text[i] ^ 0x20, 'x'} {
			wrong := bytes.Clone(text)
			wrong[i] = b
			if _, err := decode(wrong); err == nil && b != text[i] {
				t.Errorf("byte %d (%q) may be %q", i, text[i], b)
			}
		}
		if _, err := decode(text[:i]); err == nil {
			t.Errorf("%d bytes of %d will do", i, len(text))
		}
	}
}
