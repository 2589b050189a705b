package hub

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/router"
)

func TestOpenRefuses(t *testing.T) {
	silent := "routes:\n- name: quiet\n\tmatch: {}\n\tdestinations: [{type: fake, address: a, name: mute, silent: true}, {type: fake, address: b}]\n"
	tests := []struct {
		name string
		o    PortOptions
		want []string // what the error says
	}{
		{"ack stored: there is no persistence", PortOptions{Ack: keg.AckStored}, []string{"ack: stored needs persistence"}},
		{"an ack that does not exist", PortOptions{Ack: "maybe"}, []string{`"maybe"`, "delivered, stored, none"}},
		{"a negative timeout", PortOptions{Timeout: -1}, []string{"timeout"}},
		{"a header that cannot travel", PortOptions{ForwardHeaders: []string{"connection"}}, []string{"forward_headers", "connection"}},
		{"every wrong option, at once", PortOptions{Ack: "maybe", Timeout: -1, ForwardHeaders: []string{"connection", "a b"}},
			[]string{`ack: "maybe"`, "\ntimeout: ", "\nforward_headers: \"connection\"", "\nforward_headers: \"a b\""}},
		{"a destination that does not acknowledge", PortOptions{Table: parse(t, silent)},
			[]string{`route "quiet"`, `"mute"`, "ack: delivered", "ack: none"}},
		{"a dead-letter destination that does not acknowledge", PortOptions{Table: parse(t, `
routes:
- name: r
	match: {}
	destinations: [{type: fake, address: a}]
	dead_letter: {type: fake, address: grave, silent: true}
`)}, []string{`route "r"`, "fake://grave"}},
		{"an unmatched destination that does not acknowledge", PortOptions{Table: parse(t, `
routes: []
unmatched: [{type: fake, address: rest, silent: true}]
`)}, []string{"unmatched", "fake://rest"}},
		{"every sink that cannot be opened, at once", PortOptions{Table: all(t, "no1", "fine", "no2")},
			[]string{`route "all"`, "fake://no1", "fake://no2", "no such file"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := newKit(t, Options{})
			k.refused["no1"], k.refused["no2"] = errors.New("no such file"), errors.New("no such file")
			_, err := k.Hub.Open(test.o)
			if err == nil {
				t.Fatal("opened")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		}) // newKit sees to it that no sink stays open
	}
}

func TestWhatDoesNotAcknowledgeServesAckNone(t *testing.T) {
	k := newKit(t, Options{})
	table := parse(t, "routes: [{name: r, match: {}, destinations: [{type: fake, address: a, silent: true}]}]")
	k.port(t, PortOptions{Table: table, Ack: keg.AckNone})
	if err := k.SetTable(table); err != nil {
		t.Errorf("no port that promises delivery follows the node's table: %v", err)
	}
	if _, err := k.Hub.Open(PortOptions{}); err == nil {
		t.Error("a port that promises delivery opened on the node's table")
	}
}

func TestDisabledRoutesNeedNoSink(t *testing.T) {
	k := newKit(t, Options{})
	k.refused["no"] = errors.New("no such file")
	k.port(t, PortOptions{Table: parse(t, `
routes:
- {name: off, enabled: false, match: {}, destinations: [{type: fake, address: "no", silent: true}]}
- {name: on, match: {}, destinations: [{type: fake, address: a}]}
`)})
}

func TestSetTable(t *testing.T) {
	k := newKit(t, Options{})
	following := k.port(t, PortOptions{})
	own := k.port(t, PortOptions{Table: all(t, "mine")})
	publish := func(p *Port) keg.Receipt { return p.Publish(t.Context(), event("1"))[0] }

	if r := publish(following); r.Err != nil || len(r.Routes) != 0 || r.Deliveries != nil {
		t.Errorf("a node without a table: %+v", r)
	}
	if err := k.SetTable(all(t, "one")); err != nil {
		t.Fatal(err)
	}
	publish(following)
	if len(k.got("one")) != 1 {
		t.Error("the port does not follow the node's table")
	}

	t.Run("a table that cannot be opened leaves the old one", func(t *testing.T) {
		k.refused["broken"] = errors.New("no such file")
		if err := k.SetTable(all(t, "two", "broken")); err == nil {
			t.Fatal("taken")
		}
		publish(following)
		if len(k.got("one")) != 2 {
			t.Error("the old table is gone")
		}
	})
	t.Run("a table that breaks an open port's promise leaves the old one", func(t *testing.T) {
		err := k.SetTable(parse(t, "routes: [{name: r, match: {}, destinations: [{type: fake, address: a, silent: true}]}]"))
		if err == nil || !strings.Contains(err.Error(), "ack: delivered") {
			t.Fatalf("%v", err)
		}
	})
	t.Run("the old sinks close after the last event that uses them", func(t *testing.T) {
		sending, answer := make(chan struct{}), make(chan struct{})
		k.on("one", func(context.Context, *keg.Event) error {
			close(sending)
			<-answer
			return nil
		})
		done := make(chan keg.Receipt)
		go func() { done <- publish(following) }()
		<-sending
		if err := k.SetTable(all(t, "two")); err != nil {
			t.Fatal(err)
		}
		if r := publish(following); r.Err != nil || len(k.got("two")) != 1 {
			t.Errorf("the new table does not hold at once: %+v", r)
		}
		if k.opens("one") != 1 {
			t.Error("closed under an event")
		}
		close(answer)
		if r := <-done; r.Err != nil {
			t.Error(r.Err)
		}
		for range 1000 {
			if k.opens("one") == 0 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if k.opens("one") != 0 {
			t.Error("the old sink stays open")
		}
	})
	t.Run("new sinks open before the old ones close", func(t *testing.T) {
		k.fakes.mu.Lock()
		k.opened = nil
		k.fakes.mu.Unlock()
		if err := k.SetTable(all(t, "two")); err != nil {
			t.Fatal(err)
		}
		if len(k.opened) != 1 {
			t.Errorf("opened %v", k.opened)
		}
	})
	if r := publish(own); r.Err != nil || len(k.got("mine")) != 1 {
		t.Errorf("a port with a table of its own: %+v", r)
	}
}

func TestSetTableUnderLoad(t *testing.T) {
	k := newKit(t, Options{Observe: func(Trace) {}})
	p := k.port(t, PortOptions{})
	if err := k.SetTable(all(t, "a", "b")); err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan int)
	for range 4 {
		go func() {
			n := 0
			for {
				select {
				case <-stop:
					done <- n
					return
				default:
				}
				if r := p.Publish(t.Context(), event("1"))[0]; r.Err != nil || len(r.Deliveries) != 2 {
					t.Errorf("%+v", r)
				}
				n++
			}
		}()
	}
	for i := range 200 {
		if err := k.SetTable(all(t, "a", []string{"b", "c"}[i%2])); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	n := 0
	for range 4 {
		n += <-done
	}
	if got := len(k.got("a")); got != n { // fakes panic where they are used after their end
		t.Errorf("%d events, %d delivered", n, got)
	}
}

func TestCloseDrains(t *testing.T) {
	for _, ack := range []keg.Ack{keg.AckDelivered, keg.AckNone} {
		t.Run(string(ack), func(t *testing.T) {
			k := newKit(t, Options{})
			p := k.port(t, PortOptions{Table: all(t, "a"), Ack: ack})
			sending, answer := make(chan struct{}), make(chan struct{})
			k.on("a", func(context.Context, *keg.Event) error {
				close(sending)
				<-answer
				return nil
			})
			done := make(chan keg.Receipts, 1)
			go func() { done <- p.Publish(t.Context(), event("1")) }()
			<-sending
			closed := make(chan error, 1)
			go func() { closed <- p.Close(t.Context()) }()
			for p.inside.enter() { // until Close has shut it
				p.inside.leave()
			}
			var busy *keg.BusyError
			if r := p.Publish(t.Context(), event("2"))[0]; !errors.As(r.Err, &busy) {
				t.Errorf("a port that is closing took an event: %+v", r)
			}
			select {
			case err := <-closed:
				t.Fatalf("closed with an event in flight: %v", err)
			default:
			}
			close(answer)
			if err := <-closed; err != nil {
				t.Error(err)
			}
			if r := (<-done)[0]; r.Err != nil || len(k.got("a")) != 1 {
				t.Errorf("%+v", r)
			}
			if err := p.Close(t.Context()); err != nil {
				t.Errorf("the second time: %v", err)
			}
		})
	}
}

func TestCloseWithoutTimeCutsWhatNobodyWaitsFor(t *testing.T) {
	k := newKit(t, Options{})
	k.on("a", hangs)
	p := k.port(t, PortOptions{Table: all(t, "a"), Ack: keg.AckNone, Timeout: time.Hour})
	p.Publish(t.Context(), event("1"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.Close(ctx); err != nil {
		t.Error(err)
	}
	if s := k.Stats(); s.Lost != 1 || !strings.Contains(k.log.String(), "event was lost") {
		t.Errorf("%+v, log %q", s, k.log.String())
	}
	if _, err := k.Hub.Open(PortOptions{}); !errors.Is(err, errClosed) {
		t.Errorf("opened on a closed hub: %v", err)
	}
	if err := k.SetTable(router.Empty()); !errors.Is(err, errClosed) {
		t.Errorf("set on a closed hub: %v", err)
	}
}

func TestCloseTellsWhatItLeaves(t *testing.T) {
	k := newKit(t, Options{})
	sending, answer := make(chan struct{}), make(chan struct{})
	k.on("a", func(context.Context, *keg.Event) error {
		close(sending)
		<-answer // heeds no context
		return nil
	})
	p := k.port(t, PortOptions{Name: "http", Table: all(t, "a")})
	done := make(chan keg.Receipts)
	go func() { done <- p.Publish(t.Context(), event("1")) }()
	<-sending
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Close(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "http") {
		t.Errorf("%v", err)
	}
	close(answer)
	if r := (<-done)[0]; r.Err != nil {
		t.Error(r.Err)
	}
}
