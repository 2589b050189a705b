package sinks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

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
	topic, key template
	format     keg.Format
	headers    []sarama.RecordHeader // the destination's own
	maxBytes   int
}

func openKafka(p *Pool, d *keg.Destination) (keg.Sink, error) {
	k := d.Settings.(*Kafka)
	tls, err := k.TLS.Read("tls")
	if err != nil {
		return nil, err
	}
	s := &kafkaSink{format: d.Format, maxBytes: k.MaxMessageBytes}
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
	return s, nil
}

// Send writes e as one record and waits until the broker has it, as acks says.
// A Send that ctx cuts short leaves the record with the client, which may still
// deliver it.
func (s *kafkaSink) Send(ctx context.Context, e *keg.Event) error {
	for {
		m, err := s.record(e) // a new one each time: the last producer may still hold the last
		if err != nil {
			return keg.Permanent(err)
		}
		p, err := s.lease.client(ctx)
		if err != nil {
			return err
		}
		err = p.send(ctx, m)
		switch {
		case errors.Is(err, errGone):
			s.lease.discard(p)
			continue
		case err != nil && p.isGone():
			s.lease.discard(p)
		}
		return err
	}
}

// Close gives back the client.
func (s *kafkaSink) Close() error { return s.lease.Close() }

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
		return nil, fmt.Errorf("the record comes to %d bytes, more than max_message_bytes, %d", size, s.maxBytes)
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
