package sinks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/IBM/sarama"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
	"github.com/kong/keg/cloudevents"
)

// maxKeyBytes bounds a key that an event makes.
const maxKeyBytes = 4 << 10

// kafkaSink writes events to one topic, or to those that they name.
type kafkaSink struct {
	lease      *lease[*producer]
	single     *lease[*producer] // of a client whose records travel alone
	topic, key template
	format     keg.Format
	headers    []sarama.RecordHeader // the destination's own
	maxBytes   int
	log        *slog.Logger
	warned     sync.Once
}

func openKafka(p *Pool, d *keg.Destination) (keg.Sink, error) {
	k := d.Settings.(*Kafka)
	tls, err := k.TLS.Read("tls")
	if err != nil {
		return nil, err
	}
	s := &kafkaSink{format: d.Format, maxBytes: k.MaxMessageBytes, log: p.log}
	if s.topic, err = parseTemplate(k.Topic); err != nil {
		return nil, err
	}
	if s.key, err = parseTemplate(k.Key); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(d.Headers)) {
		s.headers = append(s.headers, sarama.RecordHeader{Key: []byte(name), Value: []byte(d.Headers[name].Reveal())})
	}
	c := k.cluster(tls)
	if s.lease, err = hold(p, c, c.dial); err != nil {
		return nil, err
	}
	c.singly = true
	if s.single, err = hold(p, c, c.dial); err != nil {
		return nil, errors.Join(err, s.lease.Close())
	}
	return s, nil
}

// Send writes e as one record and waits until the broker has it, as acks says.
// A Send that ctx cuts short leaves the record with the client, which may still
// deliver it.
//
// A record whose batch the broker found too large goes once more, by itself: the
// batch was the client's idea, and the record may be a small one beside a large.
func (s *kafkaSink) Send(ctx context.Context, e *keg.Event) error {
	lease := s.lease
	for {
		m, err := s.record(e) // a new one each time: the last producer may still hold the last
		if err != nil {
			return keg.Permanent(err)
		}
		p, err := lease.client(ctx)
		if err != nil {
			return err
		}
		err = p.send(ctx, m)
		switch {
		case errors.Is(err, errGone):
			lease.discard(p)
			continue
		case err != nil && p.isGone():
			lease.discard(p)
		}
		if _, batch := errors.AsType[*batchTooLargeError](err); batch {
			s.warned.Do(func() {
				s.log.Warn("batches are larger than the broker takes, so that their records go again one by one, slowly", "topic", m.Topic, "error", err)
			})
			lease = s.single
			continue
		}
		return err
	}
}

// Close gives back the clients.
func (s *kafkaSink) Close() error { return errors.Join(s.lease.Close(), s.single.Close()) }

// record is the event as sarama takes it.
func (s *kafkaSink) record(e *keg.Event) (*sarama.ProducerMessage, error) {
	topic, err := s.topic.expand(e, maxTopicBytes, checkTopicValue)
	if err == nil {
		err = clients.CheckKafkaTopic(topic)
	}
	if err != nil {
		return nil, fmt.Errorf("topic: %w", err)
	}
	m := &sarama.ProducerMessage{Topic: topic}

	var missing *missingError
	switch key, err := s.key.expand(e, maxKeyBytes, nil); {
	case errors.As(err, &missing):
	case err != nil:
		return nil, fmt.Errorf("key: %w", err)
	case key != "":
		m.Key = sarama.StringEncoder(key)
	}

	headers, value, err := cloudevents.ToKafka(e, s.format)
	if err != nil {
		return nil, err
	}
	if value != nil {
		m.Value = sarama.ByteEncoder(value)
	}
	m.Headers = make([]sarama.RecordHeader, 0, len(headers)+len(s.headers))
	for _, h := range headers {
		if !s.overrides(h.Key) {
			m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
		}
	}
	m.Headers = append(m.Headers, s.headers...)

	if size := m.ByteSize(2); size > s.maxBytes {
		return nil, tooLarge(fmt.Errorf("the record comes to %d bytes, more than max_message_bytes, %d", size, s.maxBytes), s.maxBytes)
	}
	return m, nil
}

// overrides reports whether the destination has its own header of that name.
func (s *kafkaSink) overrides(name string) bool {
	for _, h := range s.headers {
		if strings.EqualFold(string(h.Key), name) {
			return true
		}
	}
	return false
}
