package sources

import (
	"context"
	"hash/maphash"
	"sync"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/kong/keg/cloudevents"
)

const (
	// maxQueueBytes bounds the payloads that wait; the message that comes when it
	// is reached waits in the connection, and the broker behind it.
	maxQueueBytes = 64 << 20
	// maxMQTTBatch bounds the messages of one call.
	maxMQTTBatch = 500
)

// mqttSession is what a source knows of the session that the broker keeps, over
// however many connections. It remembers each message from its arrival to its
// acknowledgement by its packet identifier, so that one which a broken connection
// makes the broker send again is known: it is not handed on a second time, and
// what it is acknowledged on is the connection that it came by last.
//
// A message is known again only where it was not acknowledged before: then the
// broker cannot have given its identifier to another. After an acknowledgement
// that the broker may or may not have heard, or a restart of this process, one
// that comes again is handed on again; a CloudEvent with its own id, any other
// message with a new one, since nothing in it tells it from a second that is
// equal.
type mqttSession struct {
	source *mqtt
	seed   maphash.Seed
	queue  chan *delivery
	bytes  *byteBudget

	mu   sync.Mutex
	open map[uint16]*delivery // that the broker waits for, by packet identifier
}

// delivery is one message, until it is acknowledged.
type delivery struct {
	item
	size  int
	print uint64 // of topic and payload
	id    uint16

	// Of the session, and guarded by its mutex.
	over *link  // where the broker waits for it; nil where it does not
	ack  func() // tells it there
	safe bool
}

func newMQTTSession(m *mqtt) *mqttSession {
	return &mqttSession{
		source: m, seed: maphash.MakeSeed(), queue: make(chan *delivery, m.settings.MaxInFlight),
		bytes: newByteBudget(maxQueueBytes), open: make(map[uint16]*delivery),
	}
}

// began is told of each new connection; one without the old session makes the
// identifiers mean nothing.
func (s *mqttSession) began(resumed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if resumed {
		return
	}
	for _, d := range s.open {
		d.over, d.ack = nil, nil
	}
	clear(s.open)
}

// take is paho's handler. It blocks only where the queue is full, and no longer
// than the connection lasts: what it does not take stays with the broker.
func (s *mqttSession) take(l *link, m paho.Message) {
	d, heard := s.arrived(l, m)
	if heard {
		m.Ack()
	}
	for d != nil && !s.put(d, l.lost) {
		if l = s.forget(d, l); l == nil {
			return
		}
	}
}

func (s *mqttSession) put(d *delivery, stop <-chan struct{}) bool {
	if !s.bytes.take(d.size, stop) {
		return false
	}
	select {
	case s.queue <- d:
		return true
	case <-stop:
		s.bytes.give(d.size)
		return false
	}
}

// forget drops a message that could not be queued while l lasted. It returns the
// link by which the broker has sent it again meanwhile, if it has: then it must
// be queued after all.
func (s *mqttSession) forget(d *delivery, l *link) *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.over != nil && d.over != l {
		return d.over
	}
	if s.open[d.id] == d {
		delete(s.open, d.id)
	}
	return nil
}

// arrived notes that the broker waits for m on l. It returns no delivery where the
// same message is under way already, or is safe, which the broker has not heard.
func (s *mqttSession) arrived(l *link, m paho.Message) (d *delivery, safe bool) {
	d = &delivery{size: len(m.Payload()) + len(m.Topic()), id: m.MessageID()}
	d.item = s.source.read(m)
	if m.Qos() == 0 {
		return d, false
	}
	d.print = s.print(m)
	d.over, d.ack = l, m.Ack
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.isLost() { // the next link may have brought it already
		return nil, false
	}
	known := s.open[d.id]
	if known == nil {
		s.open[d.id] = d
		return d, false
	}
	if !m.Duplicate() || known.print != d.print { // the identifier is another message's now
		known.over, known.ack = nil, nil
		s.open[d.id] = d
		return d, false
	}
	known.over, known.ack = l, m.Ack
	if known.safe {
		delete(s.open, d.id)
	}
	return nil, known.safe
}

// print tells messages apart by topic and payload.
func (s *mqttSession) print(m paho.Message) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	_, _ = h.WriteString(m.Topic())
	_ = h.WriteByte(0)
	_, _ = h.Write(m.Payload())
	return h.Sum64()
}

// settled acknowledges a message that is safe, where the broker waits for it, or
// remembers that it is for when the broker sends it again.
func (s *mqttSession) settled(d *delivery) {
	s.mu.Lock()
	d.safe = true
	var ack func()
	if d.over != nil && !d.over.isLost() {
		ack = d.ack
		if s.open[d.id] == d {
			delete(s.open, d.id)
		}
	}
	s.mu.Unlock()
	if ack != nil {
		ack()
	}
}

// deliver hands on what is queued until ctx ends and what is under way is done.
func (s *mqttSession) deliver(ctx context.Context, h *handover) {
	calls, end := outliving(ctx, s.source.grace)
	defer end()
	trouble := &complaint{log: s.source.log}
	for {
		batch := s.batch(ctx)
		if len(batch) == 0 {
			return
		}
		items := make([]item, len(batch))
		for i, d := range batch {
			items[i] = d.item
		}
		safe := h.settle(ctx, calls, items, trouble)
		for i, d := range batch {
			s.bytes.give(d.size)
			if i < safe {
				s.settled(d)
			}
		}
		if safe < len(batch) {
			return
		}
	}
}

// batch waits for a message and takes what is there behind it; none means to stop.
func (s *mqttSession) batch(ctx context.Context) []*delivery {
	if ctx.Err() != nil {
		return nil
	}
	var batch []*delivery
	select {
	case <-ctx.Done():
		return nil
	case d := <-s.queue:
		batch = append(batch, d)
	}
	for size := batch[0].size; len(batch) < maxMQTTBatch && size < maxBatchBytes; {
		select {
		case d := <-s.queue:
			batch = append(batch, d)
			size += d.size
		default:
			return batch
		}
	}
	return batch
}

// read makes an event of a message, or a dead letter.
func (m *mqtt) read(message paho.Message) item {
	in := cloudevents.Message{Broker: m.broker.Host, Topic: message.Topic(), Payload: message.Payload()}
	return item{at: location{topic: message.Topic()}}.ofMessage(in, m.maxBytes)
}
