package sinks

import (
	"context"
	"errors"
	"fmt"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
	"github.com/kong/keg/cloudevents"
)

// maxMessage bounds topic and payload: a packet has 268,435,455 bytes at most
// (MQTT 3.1.1, section 2.2.3). What the broker itself allows is less and not
// told: it drops the connection of who sends more.
const maxMessage = 268_435_455 - 4

// mqttSink publishes each event as one message.
type mqttSink struct {
	*lease[*mqttConnection]
	topic  mqttTopic
	qos    byte
	retain bool
	format keg.Format
}

func openMQTT(p *Pool, d *keg.Destination) (keg.Sink, error) {
	return openMQTTWith(p, d, defaultMQTTTimes)
}

func openMQTTWith(p *Pool, d *keg.Destination, times mqttTimes) (keg.Sink, error) {
	settings := d.Settings.(*MQTT)
	if len(d.Headers) > 0 {
		return nil, &keg.FieldError{Path: "headers", Problem: "cannot be sent: a message of MQTT 3.1.1 has none"}
	}
	broker, err := clients.MQTTBroker(settings.Address, settings.TLS != nil)
	if err != nil {
		return nil, &keg.FieldError{Path: "address", Problem: err.Error()}
	}
	s := &mqttSink{qos: byte(settings.QoS), retain: settings.Retain, format: d.Format}
	if s.topic, err = parseTopic(settings.Topic); err != nil {
		return nil, &keg.FieldError{Path: "topic", Problem: err.Error()}
	}
	secured, err := settings.TLS.Read("tls")
	if err != nil {
		return nil, err
	}
	if broker.Scheme == "ssl" || broker.Scheme == "wss" {
		secured = secured.With()
	}
	key := mqttKey{broker.String(), settings.ClientID, settings.Username, settings.Password, secured}
	s.lease, err = hold(p, key, newMQTTDialer(key, times).dial)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Send publishes once and waits until the broker has acknowledged the message:
// PUBACK for qos 1, PUBCOMP for qos 2; for qos 0, until it is written. A
// connection that ends takes down every Send that waits on it, at once and with
// a transient error: the broker may have the message or not.
//
// What MQTT 3.1.1 cannot say is not known here either: Mosquitto acknowledges a
// message that its access rules forbid, and drops it.
//
// A broker that cannot be connected to is an outage, and so is one that refuses
// the connection, for bad credentials say. The credentials are mended where they
// are, at the broker or in the configuration; the event is not at fault and must
// not be given up for it. Nothing was sent either where the turn of the message
// did not come before ctx ended.
func (s *mqttSink) Send(ctx context.Context, e *keg.Event) error {
	name, err := s.topic.of(e)
	if err != nil {
		return err
	}
	payload, err := cloudevents.ToMQTT(e, s.format)
	if err != nil {
		return keg.Permanent(err)
	}
	if size := len(name) + len(payload); size > maxMessage {
		return tooLarge(fmt.Errorf("the message would have %d bytes, and MQTT allows %d", size, maxMessage), maxMessage)
	}
	for {
		c, err := s.client(ctx)
		if err != nil {
			return err
		}
		err = c.publish(ctx, name, s.qos, s.retain, payload)
		if c.isLost() {
			s.discard(c)
			if errors.Is(err, errNotSent) {
				continue // it was lost while idle: the next one is another's
			}
		}
		return err
	}
}
