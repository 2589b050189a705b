package plugins

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/cloudevents"
	"github.com/kong/keg/hub"
	"github.com/kong/keg/kong/server"
)

// eventLogName is what kong.yml calls the plugin, and what logs and metrics do.
const eventLogName = "event-log"

// eventLog is the plugin that makes an event of Kong's log entry of each
// request, after the client has its answer.
func eventLog(o Options) server.Plugin {
	return server.Plugin{
		Name: eventLogName, Version: o.Version, Priority: 12, Phases: []server.Phase{server.Log},
		Config: func() any { return &eventLogConfig{types: o.Routes.Types} },
		Start: func(config any) (server.Instance, error) {
			return startEventLog(o, config.(*eventLogConfig))
		},
	}
}

// eventLogInstance is one configuration at work.
type eventLogInstance struct {
	port      *hub.Port
	ack       keg.Ack
	queue     *logQueue[loggedRequest]
	room      *LogRoom
	rejected  func(plugin string, err error)
	rules     entryRules
	eventType string
	node      string // "//" and its name
	sampling  float64
	maxBytes  int64
	closeWith time.Duration
}

// loggedRequest is what the log phase leaves behind.
type loggedRequest struct {
	entry string
	ended time.Time
}

func startEventLog(o Options, c *eventLogConfig) (server.Instance, error) {
	table, err := tableOf(c.Routes, c.Secrets, o.Routes)
	rules, rulesErr := c.rules()
	timeout := time.Duration(c.Timeout) * time.Millisecond
	ack := keg.Ack(c.Ack)
	if ack == "" {
		ack = keg.AckNone
		if o.Hub.Keeps() {
			ack = keg.AckStored
		}
	}
	if err := errors.Join(err, c.problems(o.Hub.Keeps()), rulesErr); err != nil {
		return nil, err
	}
	opened, err := o.Hub.Open(hub.PortOptions{
		Name: eventLogName, Table: table, Scope: cmp.Or(c.PluginID, scopeOf(c.Routes)), Ack: ack, Timeout: timeout,
	})
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	l := &eventLogInstance{
		port: opened, ack: ack, room: o.LogRoom, rejected: o.Rejected, rules: rules,
		eventType: cmp.Or(c.EventType, logType), node: "//" + cmp.Or(c.Node, hostName()), sampling: c.Sampling,
		maxBytes:  cmp.Or(c.MaxEventBytes, o.Events.MaxBytes, cloudevents.DefaultMaxBytes),
		closeWith: 2*timeout + time.Second,
	}
	l.queue = newLogQueue(o.LogRoom, l.publish)
	return l, nil
}

// Close lets what the log phases have left behind be published, and deliveries
// end. It does not wait for them: Kong's worker waits for Close in the middle of
// a request. The room and the hub do, when they close.
func (l *eventLogInstance) Close() error {
	published := l.queue.close()
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), l.closeWith)
		defer cancel()
		select {
		case <-published:
		case <-ctx.Done():
			l.queue.cut()
			<-published
		}
		if err := l.port.Close(ctx); err != nil {
			l.room.log.Warn("an instance was closed before all of its deliveries had ended", "plugin", eventLogName, "error", err)
		}
	}()
	return nil
}
