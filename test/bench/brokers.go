//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

const (
	kafkaEvents = 50_000
	mqttEvents  = 20_000
	// brokerPatience is for the first event, too: a consumer group takes its time
	// to form.
	brokerPatience = time.Minute
)

const brokerRoutes = `sources:
  - {type: kafka, name: kafka, address: "KAFKA", topics: [RUN-in], group: RUN}
  - {type: mqtt, name: mqtt, address: "MQTT", topics: ["RUN/#"], client_id: RUN}
routes:
  - name: from-kafka
    match: {source: "//bench"}
    destinations: [{type: http, address: "RECEIVER"}]
  - name: from-mqtt
    match: {type: mqtt.message}
    destinations: [{type: kafka, address: "KAFKA", topic: RUN-out}]
`

// brokerFigures bring events through one keg: from Kafka to HTTP, then from MQTT
// to Kafka, all of them stored on the way. Nothing is promised of them; broker,
// keg, sender and receiver share the processors.
func brokerFigures() ([]figure, error) {
	brokers, mosquitto := os.Getenv("KEG_TEST_KAFKA"), os.Getenv("KEG_TEST_MQTT")
	if brokers == "" || mosquitto == "" {
		return nil, fmt.Errorf("KEG_TEST_KAFKA and KEG_TEST_MQTT are not set: run this by test/services/run")
	}
	dir, keg, err := buildKeg()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	fromKafka, fromMQTT := newEvents(), newEvents()
	in, err := newKafka(brokers, fromKafka.run+"-in", 4)
	if err != nil {
		return nil, err
	}
	defer in.close()
	out, err := newKafka(brokers, fromKafka.run+"-out", 1)
	if err != nil {
		return nil, err
	}
	defer out.close()
	if err := in.produce(fromKafka, kafkaEvents); err != nil {
		return nil, err
	}
	atHTTP, atKafka := newLedger(fromKafka, kafkaEvents), newLedger(fromMQTT, mqttEvents)
	url, stop, err := receive(atHTTP)
	if err != nil {
		return nil, err
	}
	defer stop()
	stopConsumer, err := out.consume(atKafka)
	if err != nil {
		return nil, err
	}
	defer stopConsumer()
	routes := strings.NewReplacer("KAFKA", brokers, "MQTT", mosquitto, "RUN", fromKafka.run, "RECEIVER", url).Replace(brokerRoutes)
	n, err := startNode(keg, dir, routes, 0, embeddedStore(dir)...)
	if err != nil {
		return nil, err
	}
	defer n.stop()
	var figures []figure
	arrived := func(what string, l *ledger) error {
		rate, doubled, err := l.await(brokerPatience)
		figures = append(figures, figure{what: what, measured: fmt.Sprintf("%.0f a second, %d of them twice", rate, doubled)})
		return err
	}
	if err := arrived("events of 1 KB from Kafka to HTTP", atHTTP); err != nil {
		return nil, fmt.Errorf("from Kafka to HTTP: %w", err)
	}
	if err := publish(mosquitto, fromKafka.run+"/events", fromMQTT, mqttEvents); err != nil {
		return nil, err
	}
	if err := arrived("events of 1 KB from MQTT to Kafka", atKafka); err != nil {
		return nil, fmt.Errorf("from MQTT to Kafka: %w", err)
	}
	return figures, nil
}

// publish sends the events 1 to n to a topic with quality of service 1, and
// returns when the broker has them.
func publish(broker, topic string, e *events, n int) error {
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + broker).SetClientID(e.run).SetAutoReconnect(false))
	if token := client.Connect(); token.Wait() && token.Error() != nil {
		return token.Error()
	}
	defer client.Disconnect(0)
	tokens := make(chan mqtt.Token, 100) // under way at once
	go func() {
		defer close(tokens)
		for i := 1; i <= n; i++ {
			tokens <- client.Publish(topic, 1, false, bytes.Clone(e.make(i)))
		}
	}()
	var first error
	for token := range tokens {
		if token.Wait(); token.Error() != nil && first == nil {
			first = token.Error()
		}
	}
	return first
}
