package cloudevents

import (
	"bytes"
	"net/url"
	"time"

	"github.com/kong/keg"
)

// Message is an MQTT 3.1.1 message, as one was read. It has no headers, so that
// an event can only be in its payload.
type Message struct {
	Broker, Topic string
	Payload       []byte
	// Received is the time of a message that is no CloudEvent; the zero time
	// means now.
	Received time.Time
}

// FromMQTT reads the event that a message carries in the JSON event format, or,
// where it carries none, makes one of the message itself: nothing in MQTT 3.1.1
// says which was meant. The event's data may be part of the payload.
func FromMQTT(m Message) (*keg.Event, error) {
	if start := bytes.TrimLeft(m.Payload, " \t\r\n"); len(start) > 0 && start[0] == '{' {
		if e, err := FromJSON(m.Payload); err == nil {
			takeHops(e)
			return e, nil
		}
	}
	e := MessageEvent(m)
	if err := e.Validate(); err != nil {
		return nil, err
	}
	return e, nil
}

// MessageEvent is the event made of a message itself, whatever is in it, with an
// id of its own.
func MessageEvent(m Message) *keg.Event {
	e := &keg.Event{
		ID:     newID(),
		Source: (&url.URL{Host: m.Broker, Path: "/" + m.Topic}).String(),
		Type:   "mqtt.message",
		Time:   m.Received,
		Data:   m.Payload,
	}
	if e.Time.IsZero() {
		e.Time = time.Now().UTC()
	}
	return e
}

// ToMQTT writes e as an MQTT message's payload: the data alone when raw, else
// the JSON event format, which is all that MQTT 3.1.1 has room for. A raw
// payload is the event's data itself.
func ToMQTT(e *keg.Event, format keg.Format) ([]byte, error) {
	switch format {
	case keg.FormatRaw:
		return e.Data, nil
	case keg.FormatStructured, keg.FormatBinary:
		return AppendJSON(nil, e), nil
	}
	return nil, unknownFormat(format)
}
