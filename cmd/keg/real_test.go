//go:build real

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/kong/keg/cmd/keg/tail"
)

// These tests run the whole gateway in front of the brokers of test/services.

// service is a variable of the services script, without which the tests fail.
func service(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: run this by test/services/run", name)
	}
	return value
}

func control(t *testing.T, action, name string) {
	t.Helper()
	if out, err := exec.Command(service(t, "KEG_TEST_SERVICES"), action, name).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", action, name, err, out)
	}
}

// startReal runs `keg dev` in front of the real brokers, over SCRAM and TLS for
// Kafka and a password for MQTT, with secrets from the environment and a file.
func startReal(t *testing.T, topic string) (proxy string, p *process) {
	t.Helper()
	dir := t.TempDir()
	routes := filepath.Join(dir, "routes.yaml")
	write(t, filepath.Join(dir, "mqtt-password"), service(t, "KEG_TEST_MQTT_SECRET")+"\n")
	write(t, routes, fmt.Sprintf(`
routes:
  - name: orders
    match: {event_type: order.created}
    destinations:
      - type: kafka
        address: %s
        topic: %s
        key: "{subject}"
        tls: {ca: %s}
        sasl: {mechanism: SCRAM-SHA-512, username: %s, password: "${KEG_TEST_KAFKA_PASSWORD}"}
      - type: mqtt
        address: %s
        topic: %s/{type}
        username: %s
        password: {file: %s/mqtt-password}
`, service(t, "KEG_TEST_KAFKA_SASL"), topic, service(t, "KEG_TEST_TLS_CA"), service(t, "KEG_TEST_KAFKA_USER"),
		service(t, "KEG_TEST_MQTT_PASSWORD"), topic, service(t, "KEG_TEST_MQTT_USER"), dir))
	p = start(t, nil, "dev", "--routes", routes, "--proxy-listen", "127.0.0.1:0", "--admin-listen", "off",
		"--kafka-listen", "off", "--mqtt-listen", "off", "--webhook-listen", "off")
	line := p.until("proxy")
	p.until("ready")
	return strings.Fields(line)[1], p
}

func order(id string) string {
	return fmt.Sprintf(`{"event_type":"order.created","event_id":%q,"order":{"id":7}}`, id)
}

// kept returns the ids of the events in a topic, and how often each is there.
func kept(t *testing.T, topic string) map[string]int {
	t.Helper()
	ids := map[string]int{}
	err := tail.Run(t.Context(), "kafka://"+service(t, "KEG_TEST_KAFKA")+"/"+topic, tail.Options{
		Last: 1_000_000, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Emit: func(i tail.Item) { ids[i.Event.ID]++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestRealBrokersGetAnEventThatWasPostedThroughTheGateway(t *testing.T) {
	topic := "e2e-" + uuid.NewString()[:8]
	proxy, p := startReal(t, topic)
	messages := make(chan tail.Item, 10)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		// The plain listener shares its topics with the one that has a password.
		_ = tail.Run(ctx, "mqtt://"+service(t, "KEG_TEST_MQTT")+"/"+topic+"/#", tail.Options{
			Follow: true, Log: slog.New(slog.DiscardHandler), Emit: func(i tail.Item) { messages <- i },
		})
	}()
	var id string
	for deadline := time.Now().Add(20 * time.Second); ; { // until the subscription stands
		id = uuid.NewString()
		if status, answer, _ := post(t, "http://"+proxy+"/events", "application/json", order(id)); status != http.StatusOK {
			t.Fatalf("%d %s\n%s", status, answer, p.said())
		}
		select {
		case m := <-messages:
			if m.Place != topic+"/order.created" || !json.Valid(m.Event.Data) {
				t.Errorf("in MQTT: %+v", m)
			}
		case <-time.After(time.Second):
			if time.Now().Before(deadline) {
				continue
			}
			t.Error("nothing came in MQTT")
		}
		break
	}
	if n := kept(t, topic)[id]; n != 1 {
		t.Errorf("event %s is in Kafka %d times", id, n)
	}
	for _, secret := range []string{service(t, "KEG_TEST_KAFKA_PASSWORD"), service(t, "KEG_TEST_MQTT_SECRET")} {
		if strings.Contains(p.said(), secret) {
			t.Error("a secret is in the output")
		}
	}
}

// TestRealKafkaStopsUnderLoad holds the promise at the heart of it: whatever was
// answered under 300 is in the topic, and whatever was not was answered in time,
// naming the destination; and the gateway recovers by itself.
func TestRealKafkaStopsUnderLoad(t *testing.T) {
	topic := "outage-" + uuid.NewString()[:8]
	proxy, p := startReal(t, topic)
	if status, answer, _ := post(t, "http://"+proxy+"/events", "application/json", order("first")); status != http.StatusOK {
		t.Fatalf("%d %s\n%s", status, answer, p.said())
	}
	var mu sync.Mutex
	var yes []string
	failed := map[int]int{}
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for range 8 {
		load.Go(func() {
			for ctx.Err() == nil {
				id := uuid.NewString()
				began := time.Now()
				status, answer, _ := post(t, "http://"+proxy+"/events", "application/json", order(id))
				took := time.Since(began)
				mu.Lock()
				switch {
				case status == http.StatusOK:
					yes = append(yes, id)
				case status != http.StatusBadGateway && status != http.StatusGatewayTimeout && status != http.StatusServiceUnavailable,
					!strings.Contains(answer, "kafka://"), took > 15*time.Second:
					t.Errorf("during the outage: %d after %s: %s", status, took, answer)
				default:
					failed[status]++
				}
				mu.Unlock()
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	time.Sleep(2 * time.Second)
	control(t, "stop", "kafka")
	time.Sleep(12 * time.Second)
	control(t, "start", "kafka")
	mu.Lock()
	before := len(yes)
	mu.Unlock()
	for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		mu.Lock()
		recovered := len(yes) > before+100
		mu.Unlock()
		if recovered {
			break
		}
		if time.Now().After(deadline) {
			t.Error("no recovery after the broker was back")
			break
		}
	}
	stop()
	load.Wait()
	ids := kept(t, topic)
	missing := 0
	for _, id := range yes {
		if ids[id] == 0 {
			missing++
		}
	}
	t.Logf("%d answered 200, %v answered otherwise, %d missing", len(yes), failed, missing)
	if missing > 0 || len(failed) == 0 {
		t.Errorf("%d of %d events that were answered 200 are not in the topic; failures: %v", missing, len(yes), failed)
	}
}
