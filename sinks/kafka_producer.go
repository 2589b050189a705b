package sinks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/eapache/go-resiliency/breaker"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
)

const (
	// stallAfter is the age at which a record that has neither arrived nor failed
	// condemns its producer. It is more than sarama may rightly need: an answer's
	// time-out for each of its tries.
	stallAfter = 60 * time.Second
	// landWithin bounds the wait for records in flight when a producer closes.
	landWithin = 5 * time.Second
	// maxTopics bounds the topics of one producer. sarama keeps two goroutines
	// and their queues for each topic as long as it lives, and events may name
	// topics.
	maxTopics = 1000
)

var (
	// errGone: the producer takes no more records, and this one was not handed
	// over; another producer may have it.
	errGone    = errors.New("the producer takes no more records")
	errStalled = fmt.Errorf("kafka: the client neither delivered nor refused a record within %v and was replaced", stallAfter)
	errCutOff  = errors.New("kafka: the client was closed before the broker acknowledged the record")
)

// producer is a sarama producer that answers for each record, ends in a
// bounded time, and knows when it is stuck.
type producer struct {
	async   sarama.AsyncProducer
	client  sarama.Client
	wire    *clients.Wire
	singly  bool // records travel alone
	flights flights

	gate    sync.RWMutex // held for reading while a record is handed over
	gone    chan struct{}
	retired sync.Once
	drained chan struct{} // closed when sarama has answered for every record

	lost   chan struct{} // closed when the records in flight are given up
	why    error         // set before lost is closed
	giveUp sync.Once

	topicsMu sync.Mutex
	topics   map[string]error // with what each failed of last, where a later attempt may mend it
}

func newProducer(async sarama.AsyncProducer, client sarama.Client, w *clients.Wire) *producer {
	p := &producer{
		async: async, client: client, wire: w,
		gone:    make(chan struct{}),
		drained: make(chan struct{}),
		lost:    make(chan struct{}),
		topics:  make(map[string]error),
	}
	var drains sync.WaitGroup
	drains.Go(func() {
		for m := range async.Successes() {
			p.land(m, nil)
		}
	})
	drains.Go(func() {
		for e := range async.Errors() {
			p.land(e.Msg, e.Err)
		}
	})
	go func() {
		drains.Wait()
		close(p.drained)
	}()
	go p.watch(stallAfter)
	return p
}

// send hands a record over and waits for the broker's word. Its error is
// errGone where the record was not handed over and never will be.
func (p *producer) send(ctx context.Context, m *sarama.ProducerMessage) error {
	if !p.admits(m.Topic) {
		p.retire()
		return errGone
	}
	flight := p.flights.begin()
	m.Metadata = flight
	if err := p.handOver(ctx, m); err != nil {
		p.flights.end(flight)
		return err
	}
	select {
	case err := <-flight.done:
		return err
	case <-ctx.Done():
		// It may have been on a connection that broke; but as things are, there is none.
		if !p.wire.Connected() {
			return keg.Unreachable(fmt.Errorf("kafka: waiting for a connection: %w", ctx.Err()))
		}
		return fmt.Errorf("kafka: no acknowledgement yet: %w", ctx.Err())
	case <-p.lost:
		return p.why
	}
}

func (p *producer) handOver(ctx context.Context, m *sarama.ProducerMessage) error {
	p.gate.RLock()
	defer p.gate.RUnlock()
	select {
	case <-p.gone: // first: sarama's input may be closed by now
		return errGone
	default:
	}
	select {
	case p.async.Input() <- m:
		return nil
	case <-p.gone:
		return errGone
	case <-ctx.Done():
		return keg.Unreachable(fmt.Errorf("kafka: waiting for room in the client: %w", ctx.Err()))
	}
}

// land tells a record's Send how it went.
func (p *producer) land(m *sarama.ProducerMessage, err error) {
	flight := m.Metadata.(*flight)
	alone := p.flights.end(flight) || p.singly
	if err != nil {
		err = &kafkaError{p.judge(m.Topic, err, alone)}
		if spoils(err) {
			p.retire()
		}
	}
	flight.done <- err
}

// judge is classifyRecord for a producer that knows what was before: sarama's
// breaker says only that the topic has failed a few times.
func (p *producer) judge(topic string, err error, alone bool) error {
	p.topicsMu.Lock()
	defer p.topicsMu.Unlock()
	before := p.topics[topic]
	if errors.Is(err, breaker.ErrBreakerOpen) && before != nil {
		return fmt.Errorf("the client looks again within ten seconds after: %w", before)
	}
	err = classifyRecord(err, alone)
	if _, batch := errors.AsType[*batchTooLargeError](err); !batch && !keg.IsPermanent(err) {
		p.topics[topic] = err
	}
	return err
}

// admits reports whether the producer has room for the topic.
func (p *producer) admits(topic string) bool {
	p.topicsMu.Lock()
	defer p.topicsMu.Unlock()
	if _, known := p.topics[topic]; known {
		return true
	}
	if len(p.topics) >= maxTopics {
		return false
	}
	p.topics[topic] = nil
	return true
}

// retire makes the producer take no more records; those in flight go on.
func (p *producer) retire() { p.retired.Do(func() { close(p.gone) }) }

func (p *producer) isGone() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// lose gives up the records in flight.
func (p *producer) lose(why error) {
	p.giveUp.Do(func() {
		p.why = why
		close(p.lost)
	})
}

// watch condemns the producer when a record has been in flight for too long.
func (p *producer) watch(limit time.Duration) {
	tick := time.NewTicker(limit / 8)
	defer tick.Stop()
	for {
		select {
		case <-p.drained:
			return
		case <-p.lost:
			return
		case <-tick.C:
			if p.flights.oldest() > limit {
				p.retire()
				p.lose(errStalled)
			}
		}
	}
}

// Close takes no more records, waits for those in flight, then cuts the
// connections, which makes sarama give up what is left. It takes landWithin
// and a little more at most.
func (p *producer) Close() error {
	p.retire()
	p.gate.Lock() // nobody is handing over, and nobody will
	p.async.AsyncClose()
	p.gate.Unlock()

	closed := make(chan struct{})
	go func() {
		defer close(closed)
		<-p.drained
		_ = p.client.Close() // it has nothing to tell: its connections are closed already, or are now
	}()
	defer p.wire.Cut()
	if within(closed, landWithin) {
		return nil
	}
	p.wire.Cut()
	p.lose(errCutOff)
	if within(closed, 3*time.Second) {
		return nil
	}
	return errors.New("kafka: the client did not end and was left behind")
}

func within(done <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
