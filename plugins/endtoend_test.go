package plugins_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kong/keg/cmd/keg/dev"
)

// TestThroughKong posts events to the stand-in for Kong, which drives the
// plugin over its socket, and finds them in Kafka, at a webhook and in MQTT.
func TestThroughKong(t *testing.T) {
	kafka, orders := startKafka(t, "orders")
	mqttAddress, messages := startMQTT(t, "sensors/#")
	requests := make(chan *http.Request, 10)
	bodies := make(chan string, 10)
	webhook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- r
		bodies <- string(body)
	}))
	t.Cleanup(webhook.Close)
	nowhere := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(nowhere.Close)

	proxy := startGateway(t, fmt.Sprintf(`
_format_version: "3.0"
routes:
- name: events
  paths: [/events]
  plugins:
  - name: event-router
    config:
      forward_headers: [X-Tenant]
      routes:
      - name: all-three
        match: {event_type: order.created}
        destinations:
        - {type: kafka, address: %q, topic: orders, key: "{subject}"}
        - {type: http, address: %q}
        - {type: mqtt, address: %q, topic: "sensors/{type}"}
      - name: dead
        match: {event_type: order.dead}
        destinations: [{type: http, address: "http://127.0.0.1:1/", retry: {max_attempts: 1}}]
        dead_letter: {type: kafka, address: %q, topic: orders}
      - name: refused
        match: {event_type: order.refused}
        destinations: [{type: http, address: %q}]
        dead_letter: {type: kafka, address: %q, topic: orders}
- name: through
  paths: [/through]
  plugins:
  - {name: event-router, config: {on_success: continue, routes: [{name: r, match: {}, destinations: [{type: http, address: %q}]}]}}
  - {name: request-termination, config: {status_code: 204}}
`, kafka, webhook.URL, mqttAddress, kafka, nowhere.URL, kafka, webhook.URL))

	post := func(path, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+proxy+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Content-Type": "application/json", "X-Tenant": "7", "X-Event-Subject": "order-7", "Authorization": "Bearer s3cret"} {
			r.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(answer)
	}

	const order = `{"event_type":"order.created","event_source":"shop","event_id":"e-1","order":{"total":129.9}}`
	if status, answer := post("/events", order); status != 200 || !strings.Contains(answer, `{"id":"e-1","routes":["all-three"]}`) {
		t.Fatalf("%d %s", status, answer)
	}
	record := orders.next(t)
	if string(record.Value) != order || string(record.Key) != "order-7" {
		t.Errorf("Kafka has %s: %s", record.Key, record.Value)
	}
	headers := headersOf(record)
	if headers["ce_id"] != "e-1" || headers["ce_type"] != "order.created" || headers["x-tenant"] != "7" || headers["authorization"] != "" {
		t.Errorf("Kafka has headers %v", headers)
	}
	if r, body := <-requests, <-bodies; body != order || r.Header.Get("Ce-Id") != "e-1" || r.Header.Get("X-Tenant") != "7" || r.Header.Get("Authorization") != "" {
		t.Errorf("the webhook has %v %s", r.Header, body)
	}
	select {
	case m := <-messages:
		if m.Topic() != "sensors/order.created" || !strings.Contains(string(m.Payload()), `"id":"e-1"`) {
			t.Errorf("MQTT has %s %s", m.Topic(), m.Payload())
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing came by MQTT")
	}

	t.Run("a body that Kong keeps in a file", func(t *testing.T) {
		long := strings.Repeat("x", 200_000)
		status, answer := post("/through", `{"text":"`+long+`"}`)
		if status != 204 {
			t.Fatalf("%d %s", status, answer)
		}
		<-requests
		if body := <-bodies; !strings.Contains(body, long) {
			t.Errorf("the webhook has %d bytes", len(body))
		}
	})
	t.Run("what a webhook says is in the dead letter", func(t *testing.T) {
		if status, answer := post("/events", `{"event_type":"order.refused","event_id":"e-3"}`); status != 502 || !strings.Contains(answer, "answered 404") {
			t.Errorf("%d %s", status, answer)
		}
		story := headersOf(orders.next(t))
		if story["ce_id"] != "e-3" || story["keg_dlq_reason"] != "refused" || story["keg_dlq_status"] != "404" {
			t.Errorf("%v", story)
		}
	})
	t.Run("a destination that is away is named, and the event stays its sender's", func(t *testing.T) {
		status, answer := post("/events", `{"event_type":"order.dead","event_id":"e-2"}`)
		if status != 502 || !strings.Contains(answer, "http://127.0.0.1:1") {
			t.Errorf("%d %s", status, answer)
		}
		post("/events", `{"event_type":"order.refused","event_id":"e-4"}`)
		if story := headersOf(orders.next(t)); story["ce_id"] != "e-4" {
			t.Errorf("an outage made a dead letter: %v", story)
		}
	})
}

// startGateway serves the plugins over real sinks behind a gateway with config,
// and returns the proxy's address.
func startGateway(t *testing.T, config string) string {
	t.Helper()
	return startBehindKong(t, config, nil).proxy
}

// startKafka starts a broker with one topic, and a reader of that topic.
func startKafka(t *testing.T, topic string) (address string, _ *topicReader) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		topic: {0: kgo.NewOffset().AtStart()},
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return cluster.ListenAddrs()[0], &topicReader{client}
}

func headersOf(r *kgo.Record) map[string]string {
	headers := map[string]string{}
	for _, h := range r.Headers {
		headers[strings.ToLower(h.Key)] = string(h.Value)
	}
	return headers
}

type topicReader struct{ client *kgo.Client }

func (r *topicReader) next(t *testing.T) *kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	fetches := r.client.PollRecords(ctx, 1)
	if err := fetches.Err(); err != nil {
		t.Fatal(err)
	}
	return fetches.Records()[0]
}

// startMQTT starts a broker and a subscriber.
func startMQTT(t *testing.T, filter string) (address string, messages <-chan mqtt.Message) {
	t.Helper()
	b, err := dev.StartMQTT("127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	got := make(chan mqtt.Message, 10)
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + b.Addr()))
	for _, token := range []func() mqtt.Token{client.Connect, func() mqtt.Token {
		return client.Subscribe(filter, 1, func(_ mqtt.Client, m mqtt.Message) { got <- m })
	}} {
		if token := token(); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
			t.Fatalf("MQTT: %v", token.Error())
		}
	}
	t.Cleanup(func() { client.Disconnect(100) })
	return b.Addr(), got
}
