package tail

import (
	"context"
	"fmt"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/uuid"

	"github.com/kong/keg/cloudevents"
)

// quiet is how long a tail that does not follow waits for one more retained
// message: MQTT does not tell which is the last.
const quiet = time.Second

// mqtt subscribes to a filter; what a broker keeps are the retained messages.
// When the connection breaks it connects again.
func mqtt(ctx context.Context, broker, filter string, o Options) error {
	for first := true; ; first = false {
		err := mqttSession(ctx, broker, filter, o)
		switch {
		case ctx.Err() != nil || err == nil:
			return nil
		case first:
			return err
		}
		o.Log.Warn("connection lost; trying again", "broker", broker, "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

func mqttSession(ctx context.Context, broker, filter string, o Options) error {
	messages := make(chan paho.Message, 1024)
	lost := make(chan error, 1)
	client := paho.NewClient(paho.NewClientOptions().
		AddBroker("tcp://" + broker).
		SetClientID("keg-tail-" + uuid.NewString()[:8]).
		SetProtocolVersion(4).
		SetAutoReconnect(false).
		SetConnectTimeout(5 * time.Second).
		SetConnectionLostHandler(func(_ paho.Client, err error) { lost <- err }))
	if err := settle(client.Connect()); err != nil {
		return fmt.Errorf("no MQTT broker answers at %s: %w", broker, err)
	}
	defer client.Disconnect(100)
	// The handler only queues: one that blocks would stop the client's reading.
	queue := func(_ paho.Client, m paho.Message) {
		select {
		case messages <- m:
		default:
			o.Log.Warn("a message was not shown: they arrive faster than they are printed", "topic", m.Topic())
		}
	}
	if err := settle(client.Subscribe(filter, 1, queue)); err != nil {
		return fmt.Errorf("subscribing to %q: %w", filter, err)
	}
	for {
		var patience <-chan time.Time
		if !o.Follow {
			patience = time.After(quiet)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-patience:
			return nil
		case err := <-lost:
			return err
		case m := <-messages:
			if m.Retained() && o.Last == 0 || !m.Retained() && !o.Follow {
				continue
			}
			emitMessage(broker, m, o)
		}
	}
}

func emitMessage(broker string, m paho.Message, o Options) {
	event, err := cloudevents.FromMQTT(cloudevents.Message{Broker: broker, Topic: m.Topic(), Payload: m.Payload()})
	if err != nil {
		o.Log.Warn("a message that cannot be read as an event", "topic", m.Topic(), "error", err)
		return
	}
	o.Emit(Item{event, strings.ToValidUTF8(m.Topic(), "�")})
}

func settle(token paho.Token) error {
	if !token.WaitTimeout(10 * time.Second) {
		return context.DeadlineExceeded
	}
	return token.Error()
}
