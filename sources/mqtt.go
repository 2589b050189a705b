package sources

import (
	"context"
	"log/slog"
	"net/url"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
)

// mqtt reads topic filters in a session that the broker keeps. Messages go to
// the intake in the order of their arrival, one call at a time, and each is
// acknowledged when it is safe. Over qos 1 and 2 alike a message may come twice:
// when the connection or the process ends before the broker has heard the
// acknowledgement.
type mqtt struct {
	settings *MQTTSettings
	broker   *url.URL
	clientID string
	tls      clients.Credentials
	name     string
	maxBytes int // of a payload
	log      *slog.Logger
	grace    time.Duration // of a call under way when the source stops
	times    mqttTimes

	trouble complaint // with the broker
}

// mqttTimes are the waits of a connection; tests have shorter ones.
type mqttTimes struct {
	connect   time.Duration // from the first packet to CONNACK, and from SUBSCRIBE to SUBACK
	write     time.Duration // of one packet, to a peer that does not read
	keepAlive time.Duration
	ping      time.Duration // from PINGREQ to PINGRESP
	pause     time.Duration // before the first connection that follows a failure
	steady    time.Duration // a connection that lived shorter counts as a failure
}

var defaultMQTTTimes = mqttTimes{
	connect: 10 * time.Second, write: 5 * time.Second, keepAlive: 30 * time.Second, ping: 10 * time.Second,
	pause: firstPause, steady: 5 * time.Second,
}

func openMQTT(c keg.SourceConfig, o Options) (keg.Source, error) {
	settings := c.Settings.(*MQTTSettings)
	broker, err := clients.MQTTBroker(settings.Address, settings.TLS != nil)
	if err != nil {
		return nil, &keg.FieldError{Path: "address", Problem: err.Error()}
	}
	id, err := settings.clientID()
	if err != nil {
		return nil, err
	}
	secured, err := settings.TLS.Read("tls")
	if err != nil {
		return nil, err
	}
	if broker.Scheme == "ssl" || broker.Scheme == "wss" {
		secured = secured.With()
	}
	m := &mqtt{
		settings: settings, broker: broker, clientID: id, tls: secured, name: c.Name, maxBytes: o.maxBytes(), log: o.Log,
		grace: max(15*time.Second, c.Timeout+5*time.Second), times: defaultMQTTTimes,
	}
	m.trouble.log = o.Log
	return m, nil
}

// Run reads until ctx ends: then it takes nothing more, waits for what is under
// way, acknowledges it, and says goodbye; the broker keeps the rest for the next
// time. A broker that is away, or refuses, is tried again and told of.
func (m *mqtt) Run(ctx context.Context, in keg.Intake) error {
	s := newMQTTSession(m)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.deliver(ctx, &handover{in: in, log: m.log, name: m.name})
	}()
	defer func() { <-done }()
	waits := backoff{first: m.times.pause, most: mostPause}
	for first := true; ; {
		l, err := m.connect(ctx, s, first)
		if err == nil {
			first = false
			m.trouble.over("the MQTT source is connected again", "source", m.name)
			m.log.Info("the MQTT source reads", "source", m.name, "client", m.clientID, "resumed", l.resumed)
			err = m.hold(ctx, l, done)
			if time.Since(l.made) > m.times.steady {
				waits.reset()
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		m.trouble.tell("the MQTT source has no connection; it connects anew", err, "source", m.name, "client", m.clientID)
		if !waits.wait(ctx, 0) {
			return nil
		}
	}
}

// hold waits until the link is lost, and returns why, or until ctx ends and all
// that was under way is done.
func (m *mqtt) hold(ctx context.Context, l *link, done <-chan struct{}) error {
	defer l.close()
	select {
	case <-l.lost:
		return l.reason
	case <-ctx.Done():
	}
	select {
	case <-done:
	case <-l.lost:
	}
	return nil
}
