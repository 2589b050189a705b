package sinks

import (
	"github.com/kong/keg"
	"github.com/kong/keg/clients"
)

var _, _ keg.TopicAddress = (*Kafka)(nil), (*MQTT)(nil)

// Brokers are the cluster's, as a [keg.TopicAddress].
func (k *Kafka) Brokers() []string { return k.Address }

// TopicPattern is the topic with its places.
func (k *Kafka) TopicPattern() string { return k.Topic }

// Brokers is the broker's host:port, as a [keg.TopicAddress].
func (m *MQTT) Brokers() []string {
	u, err := clients.MQTTBroker(m.Address, m.TLS != nil)
	if err != nil {
		return nil
	}
	return []string{u.Host}
}

// TopicPattern is the topic with its places.
func (m *MQTT) TopicPattern() string { return m.Topic }
