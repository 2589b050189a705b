package sinks

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
)

const maxTopic = 65535 // bytes; MQTT 3.1.1, section 1.5.3

// mqttTopic is a template whose results are always topics to publish to, whatever
// an event brings.
type mqttTopic struct {
	template
	whole bool // the template is one place and nothing else
}

func parseTopic(text string) (mqttTopic, error) {
	if text == "" {
		return mqttTopic{}, errors.New("is required")
	}
	t, err := parseTemplate(text)
	if err != nil {
		return mqttTopic{}, err
	}
	if len(text) > maxTopic {
		return mqttTopic{}, fmt.Errorf("is longer than %d bytes", maxTopic)
	}
	for _, p := range t.parts {
		if problem := clients.MQTTTextProblem(p.literal); problem != "" {
			return mqttTopic{}, errors.New(problem)
		}
		if strings.ContainsAny(p.literal, "+#") {
			return mqttTopic{}, errors.New("must not have + or #, which only filters have")
		}
	}
	return mqttTopic{t, len(t.parts) == 1 && t.parts[0].attribute != ""}, nil
}

// of is the topic for one event. A value from the event may neither be a
// wildcard nor choose another level than the template has: an event that could
// would decide itself who hears it. Where the template leaves the whole topic to
// the event, levels are its own, but topics with a leading $ are the broker's.
func (t mqttTopic) of(e *keg.Event) (string, error) {
	name, err := t.expand(e, maxTopic, t.check)
	if err != nil {
		return "", keg.Permanent(fmt.Errorf("topic: %w", err))
	}
	if strings.HasPrefix(name, "$") && !strings.HasPrefix(t.source, "$") {
		return "", keg.Permanent(errors.New("topic: an event may not choose a topic that begins with $"))
	}
	return name, nil
}

func (t mqttTopic) check(value string) error {
	switch {
	case strings.ContainsAny(value, "+#"):
		return errors.New("has + or #, which no topic may have")
	case !t.whole && strings.Contains(value, "/"):
		return errors.New("has a /, which would make another topic level")
	}
	if problem := clients.MQTTTextProblem(value); problem != "" {
		return errors.New(problem)
	}
	return nil
}
