package sources

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/test/logtest"
)

func TestMQTTMessagesComeOnceInOrderAndAreAcknowledged(t *testing.T) {
	for _, qos := range []int{1, 2} {
		t.Run(fmt.Sprintf("qos %d", qos), func(t *testing.T) {
			b := startBroker(t)
			var s store
			settings := b.settings("keg/#")
			settings.QoS = qos
			stop := background(t, quick(t, settings, Options{}), &s)
			await(t, "a subscription", func() bool { return b.subscribed("keg-test") })
			for i := range 500 {
				if err := b.server.Publish("keg/a", []byte(structured(fmt.Sprint(i))), false, byte(qos)); err != nil {
					t.Fatal(err)
				}
			}
			s.await(t, 500)
			await(t, "acknowledgement", func() bool { return b.unacknowledged("keg-test") == 0 })
			b.publish(t, "keg/plain", "hello")
			s.await(t, 501)
			stop()
			ids := s.ids()
			if ordered(t, ids[:500], 1); len(ids) != 501 || s.most != 1 {
				t.Errorf("%d events, %d calls at a time", len(ids), s.most)
			}
			if e := s.events[0]; e.Type != "test.event" || string(e.Data) != `{"id":0}` || keg.Hops(e) != 1 {
				t.Errorf("%+v", e)
			}
			if e := s.events[500]; e.Type != "mqtt.message" || e.Source != "//"+settings.Address+"/keg/plain" || keg.Hops(e) != 1 {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestTheBrokerKeepsWhatIsNotSafe(t *testing.T) {
	b := startBroker(t)
	var log logtest.Log
	var open atomic.Bool
	s := &store{judge: func(e *keg.Event) error {
		if e.ID == "3" && !open.Load() {
			return errors.New("destination away")
		}
		return nil
	}}
	settings := b.settings("keg/#")
	stop := background(t, quick(t, settings, Options{Log: log.Logger()}), s)
	await(t, "a subscription", func() bool { return b.subscribed("keg-test") })
	b.events(t, "keg/a", 0, 10)
	log.Await(t, "destination away", 1)
	stop()
	if !slices.Contains(s.ids(), "2") || b.unacknowledged("keg-test") == 0 {
		t.Fatalf("%v are safe, %d unacknowledged", s.ids(), b.unacknowledged("keg-test"))
	}
	b.events(t, "keg/a", 10, 20) // while nobody is there
	open.Store(true)
	stop = background(t, quick(t, settings, Options{}), s)
	s.awaitAll(t, 20)
	await(t, "acknowledgement", func() bool { return b.unacknowledged("keg-test") == 0 })
	stop()
}

// The connection breaks while a call is under way: what the broker sends again
// is known, is not handed on twice, and is acknowledged where it came by last.
func TestAMessageSentAgainWhileItIsUnderWayIsTheSame(t *testing.T) {
	b := startBroker(t)
	var log logtest.Log
	inside, leave := make(chan struct{}), make(chan struct{})
	var once atomic.Bool
	s := &store{judge: func(*keg.Event) error {
		if once.CompareAndSwap(false, true) {
			close(inside)
			<-leave
		}
		return nil
	}}
	stop := background(t, quick(t, b.settings("keg/#"), Options{Log: log.Logger()}), s)
	await(t, "a subscription", func() bool { return b.subscribed("keg-test") })
	b.publish(t, "keg/plain", "equal")
	<-inside
	for range 5 {
		b.publish(t, "keg/plain", "equal") // as many events, though nothing tells them apart
	}
	for range 3 {
		before := len(log.Lines("the MQTT source reads"))
		b.wire.Cut()
		await(t, "the loss", func() bool { return !b.subscribed("keg-test") })
		b.wire.Mend()
		log.Await(t, "the MQTT source reads", before+1)
	}
	time.Sleep(50 * time.Millisecond) // for what the broker sends again
	close(leave)
	s.await(t, 6)
	await(t, "acknowledgement", func() bool { return b.unacknowledged("keg-test") == 0 })
	stop()
	ids := s.ids()
	slices.Sort(ids)
	if len(ids) != 6 || len(slices.Compact(ids)) != 6 {
		t.Errorf("six messages are the events %v", ids)
	}
}

func TestNothingIsLostWhileConnectionsBreak(t *testing.T) {
	b := startBroker(t)
	var s store
	settings := b.settings("keg/#")
	settings.MaxInFlight = 3 // the queue is full most of the time
	s.judge = func(*keg.Event) error { time.Sleep(time.Millisecond); return nil }
	stop := background(t, quick(t, settings, Options{}), &s)
	await(t, "a subscription", func() bool { return b.subscribed("keg-test") })
	for i := 0; i < 300; i += 30 {
		// Not before it is back: what comes while a connection takes a session over,
		// this broker itself loses (mochi-mqtt 2.7.9, inheritClientSession).
		await(t, "a subscription", func() bool { return b.subscribed("keg-test") })
		b.events(t, "keg/a", i, i+30)
		b.wire.Cut()
		await(t, "the loss", func() bool { return !b.subscribed("keg-test") })
		b.wire.Mend()
	}
	s.awaitAll(t, 300)
	await(t, "acknowledgement", func() bool { return b.unacknowledged("keg-test") == 0 })
	stop()
}

func TestMembersOfAGroupShareTheMessages(t *testing.T) {
	b := startBroker(t)
	var s store
	for _, id := range []string{"one", "two"} {
		settings := b.settings("keg/#")
		settings.Group, settings.ClientID = "nodes", id
		background(t, quick(t, settings, Options{}), &s)
		await(t, "a subscription", func() bool { return b.subscribed(id) })
	}
	b.events(t, "keg/a", 0, 100)
	s.awaitAll(t, 100)
	if n := len(s.ids()); n != 100 {
		t.Errorf("100 messages came %d times", n)
	}
}

func TestAMessageThatIsTooLargeBecomesADeadLetter(t *testing.T) {
	b := startBroker(t)
	var s store
	o := Options{}
	o.Events.MaxBytes = 100
	stop := background(t, quick(t, b.settings("keg/#"), o), &s)
	await(t, "a subscription", func() bool { return b.subscribed("keg-test") })
	b.publish(t, "keg/a", strings.Repeat("x", 101))
	b.publish(t, "keg/a", "y")
	s.await(t, 2)
	await(t, "acknowledgement", func() bool { return b.unacknowledged("keg-test") == 0 })
	stop()
	dead := s.letters()
	if len(dead) != 1 || dead[0].Reason != keg.ReasonTooLarge || len(dead[0].Event.Data) != 101 || dead[0].Event.Type != "mqtt.message" ||
		dead[0].Event.Headers.Get("keg-source-topic") != "keg/a" || !strings.HasPrefix(dead[0].Error, `topic "keg/a": the message is larger`) {
		t.Errorf("%+v", dead)
	}
}

func TestABrokerThatIsAwayOrRefusesIsTriedAgainAndToldOf(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	var s store
	var log logtest.Log
	b.wire.Cut()
	stop := background(t, quick(t, b.settings("keg/#"), Options{Log: log.Logger()}), &s)
	log.Await(t, "the MQTT source has no connection; it connects anew", 1)
	b.set(func() { b.deny = true })
	b.wire.Mend()
	log.Await(t, "the broker refused the connection", 1)
	b.set(func() { b.deny, b.forbid = false, true })
	log.Await(t, "the broker refused the subscription", 1)
	b.set(func() { b.forbid = false })
	log.Await(t, "the MQTT source reads", 1)
	await(t, "a subscription", func() bool { return b.subscribed("keg-test") })
	b.events(t, "keg/a", 0, 1)
	s.await(t, 1)
	b.wire.Hang() // silent, and stopped all the same
	stop()
}

// What the session does is judged here without a broker, which would have to
// break at the right moment.
func TestAnIdentifierIsAMessageForAsLongAsNobodyAcknowledgedIt(t *testing.T) {
	m := openTest(t, config("mqtt", &MQTTSettings{Address: "b:1", Topics: []string{"a"}, ClientID: "c", QoS: 1, MaxInFlight: 100}), Options{}).(*mqtt)
	newLink := func() *link { return &link{lost: make(chan struct{})} }
	message := func(id uint16, payload string, dup bool, acks *int) fakeMessage {
		return fakeMessage{topic: "a", payload: payload, id: id, qos: 1, dup: dup, acks: acks}
	}
	t.Run("safe before it comes again", func(t *testing.T) {
		s, old, acks := newMQTTSession(m), newLink(), 0
		s.take(old, message(7, "x", false, &acks))
		d := <-s.queue
		old.end(errClosed)
		if s.settled(d); acks != 0 {
			t.Fatal("acknowledged on a connection that is lost")
		}
		s.began(true)
		if s.take(newLink(), message(7, "x", true, &acks)); acks != 1 || len(s.queue) != 0 || len(s.open) != 0 {
			t.Errorf("%d acknowledgements, %d queued, %d open", acks, len(s.queue), len(s.open))
		}
		// Heard by the broker, which gives the identifier to another.
		if s.take(newLink(), message(7, "x", false, &acks)); len(s.queue) != 1 {
			t.Error("another message of the same identifier is lost")
		}
	})
	t.Run("another session", func(t *testing.T) {
		s, old, acks := newMQTTSession(m), newLink(), 0
		s.take(old, message(7, "x", false, &acks))
		old.end(errClosed)
		s.began(false)
		s.take(newLink(), message(7, "x", true, &acks))
		if len(s.queue) != 2 {
			t.Errorf("%d queued", len(s.queue))
		}
		s.settled(<-s.queue)
		if acks != 0 {
			t.Error("a message of the session before was acknowledged in this one")
		}
		if s.settled(<-s.queue); acks != 1 {
			t.Error("not acknowledged")
		}
	})
	t.Run("another message", func(t *testing.T) {
		s, old, acks := newMQTTSession(m), newLink(), 0
		s.take(old, message(7, "x", false, &acks))
		old.end(errClosed)
		s.began(true)
		s.take(newLink(), message(7, "y", true, &acks))
		s.settled(<-s.queue)
		if acks != 0 {
			t.Error("one message's safety acknowledged another")
		}
		if s.settled(<-s.queue); acks != 1 {
			t.Error("not acknowledged")
		}
	})
	t.Run("from a connection that was lost before", func(t *testing.T) {
		s, old, acks := newMQTTSession(m), newLink(), 0
		old.end(errClosed)
		if s.take(old, message(7, "x", false, &acks)); len(s.queue) != 0 || len(s.open) != 0 {
			t.Error("it was taken, and will come again")
		}
	})
	t.Run("a full queue", func(t *testing.T) {
		small := &mqtt{settings: &MQTTSettings{MaxInFlight: 1}, broker: m.broker, maxBytes: m.maxBytes}
		s, old, acks := newMQTTSession(small), newLink(), 0
		s.take(old, message(1, "x", false, &acks))
		blocked := make(chan struct{})
		go func() {
			defer close(blocked)
			s.take(old, message(2, "y", false, &acks))
		}()
		await(t, "the second", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.open) == 2 })
		old.end(errClosed)
		<-blocked
		<-s.queue
		s.began(true)
		if s.take(newLink(), message(2, "y", true, &acks)); len(s.queue) != 1 {
			t.Error("what found no room is not taken when it comes again")
		}
	})
}

func TestAByteBudgetIsABound(t *testing.T) {
	b := newByteBudget(10)
	stop := make(chan struct{})
	if !b.take(25, stop) {
		t.Fatal("what is larger than all must pass alone")
	}
	got := make(chan bool)
	go func() { got <- b.take(1, stop) }()
	select {
	case <-got:
		t.Fatal("it took more than there is")
	case <-time.After(20 * time.Millisecond):
	}
	b.give(25)
	if !<-got {
		t.Error("what came back was not given out")
	}
	close(stop)
	if b.take(10, stop) {
		t.Error("it took after the end")
	}
}
