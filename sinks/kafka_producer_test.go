package sinks

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
)

// stuckProducer is a sarama producer that takes records and never says what
// became of them, until it is closed, or not even then.
type stuckProducer struct {
	sarama.AsyncProducer
	input     chan *sarama.ProducerMessage
	successes chan *sarama.ProducerMessage
	errors    chan *sarama.ProducerError
	deaf      bool
}

func newStuckProducer(room int) *stuckProducer {
	return &stuckProducer{
		input:     make(chan *sarama.ProducerMessage, room),
		successes: make(chan *sarama.ProducerMessage),
		errors:    make(chan *sarama.ProducerError),
	}
}

func (s *stuckProducer) Input() chan<- *sarama.ProducerMessage     { return s.input }
func (s *stuckProducer) Successes() <-chan *sarama.ProducerMessage { return s.successes }
func (s *stuckProducer) Errors() <-chan *sarama.ProducerError      { return s.errors }

func (s *stuckProducer) AsyncClose() {
	close(s.input) // as sarama does: a record that comes now is a panic
	if !s.deaf {
		close(s.successes)
		close(s.errors)
	}
}

// end is what a deaf producer does at last, so that the test can end.
func (s *stuckProducer) end() {
	close(s.successes)
	close(s.errors)
}

type closedClient struct{ sarama.Client }

func (closedClient) Close() error { return nil }

func record() *sarama.ProducerMessage { return &sarama.ProducerMessage{Topic: "orders"} }

func TestAProducerThatNeitherDeliversNorFailsIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProducer(newStuckProducer(10), closedClient{}, clients.NewWire())
		start := time.Now()
		waiting := make(chan error, 1)
		go func() { waiting <- p.send(context.Background(), record()) }()

		// A Send that ended long ago leaves its record with the producer, where
		// it counts.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.send(ctx, record()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("send: %v", err)
		}

		err := <-waiting
		if took := time.Since(start); !errors.Is(err, errStalled) || keg.IsPermanent(err) || took < stallAfter || took > stallAfter*5/4 {
			t.Errorf("%v after %v, want %v after %v", err, took, errStalled, stallAfter)
		}
		if err := p.send(t.Context(), record()); !errors.Is(err, errGone) {
			t.Errorf("a later send: %v, want errGone, which asks for another producer", err)
		}
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

func TestABusyProducerIsNotTakenForAStuckOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := newStuckProducer(10)
		p := newProducer(stuck, closedClient{}, clients.NewWire())
		for range 10 { // there is always a record in flight, none for long
			go func() { _ = p.send(context.Background(), record()) }()
			time.Sleep(stallAfter / 2)
			stuck.successes <- <-stuck.input
		}
		synctest.Wait()
		if p.isGone() {
			t.Error("condemned")
		}
		_ = p.Close()
	})
}

func TestClosingAProducerThatIsStuckIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := newStuckProducer(10)
		stuck.deaf = true
		w := clients.NewWire()
		p := newProducer(stuck, closedClient{}, w)
		waiting := make(chan error, 1)
		go func() { waiting <- p.send(context.Background(), record()) }()
		synctest.Wait()
		start := time.Now()
		if err := p.Close(); err == nil || time.Since(start) > closeTimeout {
			t.Errorf("Close: %v after %v, want an error before %v", err, time.Since(start), closeTimeout)
		}
		if err := <-waiting; !errors.Is(err, errCutOff) || keg.IsPermanent(err) {
			t.Errorf("the waiting send: %v, want %v", err, errCutOff)
		}
		if w.Context().Err() == nil {
			t.Error("the connections were not cut")
		}
		stuck.end()
	})
}

// sarama's input is closed when it shuts down; a record that is handed over at
// that moment would be a panic.
func TestNothingIsHandedToAProducerThatCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProducer(newStuckProducer(0), closedClient{}, clients.NewWire()) // no room: sends wait to hand over
		answers := make(chan error, 10)
		for range 10 {
			go func() { answers <- p.send(context.Background(), record()) }()
		}
		synctest.Wait()
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		for range 10 {
			if err := <-answers; !errors.Is(err, errGone) {
				t.Errorf("send: %v, want errGone: it was not handed over", err)
			}
		}
		if p.flights.oldest() != 0 {
			t.Error("what was not handed over counts as in flight")
		}
	})
}

func TestAProducerWithoutRoomEndsASendWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProducer(newStuckProducer(0), closedClient{}, clients.NewWire())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := p.send(ctx, record()); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		_ = p.Close()
	})
}

func TestFlightsKnowWhoTravelsAlone(t *testing.T) {
	var f flights
	alone := f.begin()
	if !f.end(alone) {
		t.Error("a flight with nothing beside it was not alone")
	}
	first, second := f.begin(), f.begin()
	if f.end(first) || f.end(second) {
		t.Error("two flights at once were alone")
	}
	if f.oldest() != 0 {
		t.Error("something is left in flight")
	}
}
