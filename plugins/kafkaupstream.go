package plugins

import (
	"log/slog"

	"github.com/kong/keg/kong/server"
)

// kafkaUpstreamName is what kong.yml calls the plugin, and what logs and traces
// do.
const kafkaUpstreamName = "kafka-upstream"

// kafkaUpstream is the plugin that makes a record of each request and answers
// it, in place of an upstream. It runs where Kong Enterprise's does.
func kafkaUpstream(o Options) server.Plugin {
	return server.Plugin{
		Name: kafkaUpstreamName, Version: o.Version, Priority: 751, Phases: []server.Phase{server.Access},
		Config: func() any { return &kafkaUpstreamConfig{} },
		Start: func(config any) (server.Instance, error) {
			return startKafkaUpstream(o, config.(*kafkaUpstreamConfig))
		},
	}
}

// kafkaUpstreamInstance is one configuration at work.
type kafkaUpstreamInstance struct {
	*kafkaProducer
	config   *kafkaUpstreamConfig
	topics   map[string]bool // that a client may name; nil: it may name none
	headers  headerRules
	log      *slog.Logger
	rejected func(plugin string, err error)
}

func startKafkaUpstream(o Options, c *kafkaUpstreamConfig) (server.Instance, error) {
	c.fill()
	if err := c.problems(); err != nil {
		return nil, err
	}
	log := o.Log.With("plugin", kafkaUpstreamName)
	producer, err := openProducer(o, &c.kafkaConfig, kafkaOptions{
		plugin: kafkaUpstreamName, namedTopics: c.TopicsQueryArg != "",
		// Under acks 0 the hub itself waits for nothing, and a store keeps better.
		queued: c.Async && c.Acks != 0 && !o.Hub.Keeps(),
	})
	if err != nil {
		return nil, err
	}
	if !c.Async && c.Acks == 0 {
		log.Warn("producer_request_acks is 0: clients are answered before a record has been sent, though producer_async is false")
	}
	u := &kafkaUpstreamInstance{kafkaProducer: producer, config: c, headers: c.Headers.rules(), log: log, rejected: o.Rejected}
	if c.TopicsQueryArg != "" {
		u.topics = map[string]bool{c.Topic: true}
		for _, topic := range c.AllowedTopics {
			u.topics[topic] = true
		}
	}
	return u, nil
}
