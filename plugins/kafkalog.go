package plugins

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/google/uuid"

	"github.com/kong/keg"
	"github.com/kong/keg/kong/server"
)

// kafkaLogName is what kong.yml calls the plugin, and what logs and traces do.
const kafkaLogName = "kafka-log"

// kafkaLogConfig is one instance's config, as Kong keeps it.
type kafkaLogConfig struct {
	kafkaConfig
	CustomFields map[string]string `kong:"custom_fields_by_lua" refused:"cannot be used: Lua runs in Kong alone; add fields with custom_fields of event-log, or change the log entry by a Lua plugin such as pre-function (kong.log.set_serialize_value), which kafka-log then sends" doc:"Lua code that makes fields of the entry. Not supported: see custom_fields of event-log."`
}

// kafkaLog is the plugin that writes Kong's log entry of each request to a
// topic, after the client has its answer.
func kafkaLog(o Options) server.Plugin {
	return server.Plugin{
		Name: kafkaLogName, Version: o.Version, Priority: 5, Phases: []server.Phase{server.Log},
		Config: func() any { return &kafkaLogConfig{} },
		Start: func(config any) (server.Instance, error) {
			return startKafkaLog(o, config.(*kafkaLogConfig))
		},
	}
}

// kafkaLogInstance is one configuration at work.
type kafkaLogInstance struct {
	*kafkaProducer
	maxBytes int
	rejected func(plugin string, err error)
}

func startKafkaLog(o Options, c *kafkaLogConfig) (server.Instance, error) {
	c.fill()
	if err := c.problems(); err != nil {
		return nil, err
	}
	c.Async = true // nobody waits for a log entry: one that can be kept is
	producer, err := openProducer(o, &c.kafkaConfig, kafkaOptions{plugin: kafkaLogName, queued: true, complete: entryOf(c.KeyQueryArg)})
	if err != nil {
		return nil, err
	}
	return &kafkaLogInstance{producer, c.recordBytes(), o.Rejected}, nil
}

// Log takes Kong's log entry, in one exchange, and leaves the rest to the
// background. In this phase Kong answers from what it kept of the request, which
// is neither the query nor the request's id: the entry has both.
func (l *kafkaLogInstance) Log(_ context.Context, c *server.Call) error {
	b := c.Batch()
	entry := b.LogSerialize()
	if err := b.Do(); err != nil {
		return err
	}
	e := &keg.Event{Source: "//kong/" + kafkaLogName, Type: "kong.request.completed", Data: []byte(entry.Value())}
	err := fits(e, l.maxBytes)
	if err == nil {
		err = l.put(e)
	}
	if err != nil {
		l.rejected(kafkaLogName, err)
		l.lose("", err)
	}
	return nil
}

// entryOf completes an event from its log entry: its id, and the record's key
// where an argument holds it.
func entryOf(keyArg string) func(*keg.Event) error {
	return func(e *keg.Event) error {
		var entry struct {
			Request struct{ ID, URI string } `json:"request"`
		}
		// An entry that plugins have made something else of is sent as it is.
		_ = json.Unmarshal(e.Data, &entry)
		if e.ID = entry.Request.ID; e.ID == "" {
			e.ID = uuid.Must(uuid.NewV7()).String()
		}
		_, query, _ := strings.Cut(entry.Request.URI, "?")
		return setKey(e, firstArg(query, keyArg))
	}
}
