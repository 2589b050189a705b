package sinks

import "github.com/kong/keg/clients"

// maxTopicBytes is Kafka's own limit.
const maxTopicBytes = clients.MaxKafkaName

// checkTopicValue judges what an event brings for a place in a topic.
func checkTopicValue(value string) error {
	if !clients.IsKafkaName(value) {
		return clients.ErrKafkaName
	}
	return nil
}

// checkTopicTemplate judges what is known of a topic before there is an event.
func checkTopicTemplate(t template) error {
	if t.isConstant() {
		return clients.CheckKafkaTopic(t.source)
	}
	for _, p := range t.parts {
		if p.literal != "" && !clients.IsKafkaName(p.literal) {
			return clients.ErrKafkaName
		}
	}
	return nil
}
