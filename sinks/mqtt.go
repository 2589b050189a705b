package sinks

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
)

// MQTT are the settings of a destination that is a topic of an MQTT 3.1.1
// broker.
type MQTT struct {
	Address  string     `keg:"address,required" doc:"The broker: host:port, or a URL that begins with tcp, ssl, ws or wss."`
	Topic    string     `keg:"topic,required" doc:"The topic; {attribute} places are filled from the event, and a value may not add levels of its own unless it is the whole topic."`
	QoS      int        `keg:"qos" default:"1" min:"0" max:"2" doc:"The quality of service. With 0 nobody tells whether a message arrived; with 2 one message is on its way at a time, so 1 is for volume."`
	Retain   bool       `keg:"retain" doc:"Whether the broker keeps the topic's last message for later subscribers."`
	ClientID string     `keg:"client_id" doc:"The client identifier. It must be one node's alone: a broker drops the older of two connections with the same. Without it, a random one."`
	Username string     `keg:"username" doc:"The user name to connect with."`
	Password keg.Secret `keg:"password" doc:"The password to connect with."`
	TLS      *TLS       `keg:"tls" doc:"How the connection is secured; host:port with tls is an ssl address."`
}

func mqttKind() kind {
	return kind{
		DestinationType: keg.DestinationType{
			Name:    "mqtt",
			Doc:     "A topic of an MQTT 3.1.1 broker; it has taken an event when the broker acknowledges the message.",
			New:     func() keg.Settings { return new(MQTT) },
			Format:  keg.FormatStructured,
			Formats: []keg.Format{keg.FormatStructured, keg.FormatRaw},
		},
		open: openMQTT,
	}
}

// Label is mqtt://host:port/topic, or the scheme that says how else the broker
// is reached.
func (m *MQTT) Label() string {
	u, err := clients.MQTTBroker(m.Address, m.TLS != nil)
	if err != nil {
		return "mqtt:"
	}
	scheme := map[string]string{"tcp": "mqtt", "ssl": "mqtts"}[u.Scheme]
	if scheme == "" {
		scheme = u.Scheme
	}
	return scheme + "://" + u.Host + strings.TrimSuffix(u.EscapedPath(), "/") + "/" + m.Topic
}

// Acknowledges is false for qos 0, where a message is gone once it is written.
func (m *MQTT) Acknowledges() bool { return m.QoS > 0 }

// Validate reports every setting that is wrong.
func (m *MQTT) Validate() error {
	var errs []error
	fail := func(path, format string, args ...any) {
		errs = append(errs, &keg.FieldError{Path: path, Problem: fmt.Sprintf(format, args...)})
	}
	u, err := clients.MQTTBroker(m.Address, m.TLS != nil)
	if err != nil {
		fail("address", "%v", err)
	} else if m.TLS != nil && (u.Scheme == "tcp" || u.Scheme == "ws") {
		fail("tls", "needs an ssl:// or wss:// address, or one without a scheme")
	}
	if _, err := parseTopic(m.Topic); err != nil {
		fail("topic", "%v", err)
	}
	if m.QoS < 0 || m.QoS > 2 {
		fail("qos", "must be 0, 1 or 2")
	}
	for _, text := range []struct{ path, value string }{
		{"client_id", m.ClientID}, {"username", m.Username}, {"password", m.Password.Reveal()},
	} {
		if problem := clients.MQTTTextProblem(text.value); problem != "" {
			fail(text.path, "%s", problem)
		}
	}
	if m.Username == "" && !m.Password.IsZero() {
		fail("username", "is required beside password") // MQTT 3.1.1, section 3.1.2.9
	}
	return errors.Join(append(errs, m.TLS.Problems("tls")...)...)
}
