package sources

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
)

const (
	defaultMQTTFilter      = "keg/events/#"
	defaultMQTTQoS         = 1
	defaultMQTTMaxInFlight = 1000
)

// MQTTSettings are the settings of a source of type "mqtt": topic filters of an
// MQTT 3.1.1 broker, in a session that the broker keeps while KEG is away.
type MQTTSettings struct {
	Address     string       `keg:"address,required" doc:"The broker: host:port, or a URL that begins with tcp, ssl, ws or wss."`
	Topics      []string     `keg:"topics,split" default:"keg/events/#" doc:"The topic filters to subscribe to."`
	Group       string       `keg:"group" doc:"Subscribe as one of a group that shares the messages ($share/group/filter), which several nodes need and not every MQTT 3.1.1 broker has. Without it every node gets every message."`
	ClientID    string       `keg:"client_id" doc:"The client identifier, which names the session that the broker keeps: one node's alone, and the same after a restart. Without it, keg-group-hostname, or keg-hostname; set it where host names change, as in a container. A changed list of topics needs another one, or old filters stay."`
	QoS         int          `keg:"qos" default:"1" min:"1" max:"2" doc:"The quality of service to subscribe with. A message that was published with 0 arrives with 0: nobody keeps it while KEG is away."`
	Username    string       `keg:"username" doc:"The user name to connect with."`
	Password    keg.Secret   `keg:"password" doc:"The password to connect with."`
	MaxInFlight int          `keg:"max_in_flight" default:"1000" min:"1" max:"10000" doc:"How many messages wait or are handed on at a time. The broker has a bound of its own: Mosquitto's is 20 (max_inflight_messages), and beyond 1000 it keeps none for a session (max_queued_messages)."`
	TLS         *clients.TLS `keg:"tls" doc:"How the connection is secured; host:port with tls is an ssl address."`
}

func mqttKind() kind {
	return kind{
		SourceType: keg.SourceType{
			Name: "mqtt",
			Doc:  "Topics of an MQTT 3.1.1 broker, in a session that the broker keeps; messages are acknowledged when events are safe.",
			New:  func() keg.SourceSettings { return &MQTTSettings{} },
		},
		open: openMQTT,
	}
}

// Label is mqtt://host:port?topics=a|b&group=g, or the scheme that says how else
// the broker is reached.
func (m *MQTTSettings) Label() string {
	u, err := clients.MQTTBroker(m.Address, m.TLS != nil)
	if err != nil {
		return "mqtt:"
	}
	scheme := map[string]string{"tcp": "mqtt", "ssl": "mqtts"}[u.Scheme]
	if scheme == "" {
		scheme = u.Scheme
	}
	return brokerLabel(scheme, u.Host+strings.TrimSuffix(u.EscapedPath(), "/"), m.Topics, m.Group)
}

// clientID is what the session is known by.
func (m *MQTTSettings) clientID() (string, error) {
	if m.ClientID != "" {
		return m.ClientID, nil
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		return "", &keg.FieldError{Path: "client_id", Problem: "is required, because this machine has no name to make one of"}
	}
	if m.Group != "" {
		return "keg-" + m.Group + "-" + host, nil
	}
	return "keg-" + host, nil
}

// Validate reports every setting that is wrong.
func (m *MQTTSettings) Validate() error {
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
	if len(m.Topics) == 0 {
		fail("topics", "needs at least one topic filter")
	}
	for i, filter := range m.Topics {
		if problem := filterProblem(filter); problem != "" {
			fail("topics", "%.100q %s", filter, problem)
		} else if slices.Contains(m.Topics[:i], filter) {
			fail("topics", "has %q twice", filter)
		}
	}
	if strings.ContainsAny(m.Group, "/+#") {
		fail("group", "must not have /, + or #")
	}
	if m.QoS < 1 || m.QoS > 2 {
		fail("qos", "must be 1 or 2: with 0 the broker keeps nothing and waits for no answer")
	}
	if m.MaxInFlight < 1 || m.MaxInFlight > 10_000 {
		fail("max_in_flight", "must be between 1 and 10000")
	}
	for _, text := range []struct{ path, value string }{
		{"group", m.Group}, {"client_id", m.ClientID}, {"username", m.Username}, {"password", m.Password.Reveal()},
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
