package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/kong/keg/cmd/keg/tail"
)

// firstLookProcess is `keg dev` in an empty folder, every listener on a port of
// its own, with the addresses that its welcome gave.
type firstLookProcess struct {
	*process
	proxy, admin, kafka, mqtt, webhook string
}

var anyPort = []string{
	"--proxy-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--kafka-listen", "127.0.0.1:0",
	"--mqtt-listen", "127.0.0.1:0", "--webhook-listen", "127.0.0.1:0",
}

func startDev(t *testing.T, env []string, args ...string) firstLookProcess {
	t.Helper()
	return startDevIn(t, t.TempDir(), env, args...)
}

func startDevIn(t *testing.T, dir string, env []string, args ...string) firstLookProcess {
	t.Helper()
	p := startIn(t, dir, env, append(append([]string{"dev"}, anyPort...), args...)...)
	p.until("ready")
	address := func(what string) string {
		found := regexp.MustCompile(`(?m)^  ` + what + `\s+(\S+)`).FindStringSubmatch(p.said())
		if found == nil {
			t.Fatalf("the welcome has no %q:\n%s", what, p.said())
		}
		return found[1]
	}
	return firstLookProcess{p, address("proxy"), address("Admin API"), address("Kafka"), address("MQTT"), address("webhook")}
}

func post(t *testing.T, url, contentType, body string) (status int, answer string, header http.Header) {
	t.Helper()
	client := http.Client{Timeout: 30 * time.Second}
	response, err := client.Post(url, contentType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text), response.Header
}

func TestTheEventsOfTheWelcomesCurlLinesArriveInKafkaAtTheWebhookAndInMQTT(t *testing.T) {
	p := startDev(t, nil)
	readings := subscribe(t, p.mqtt, "sensors/#")

	curl := regexp.MustCompile(`curl -i (http://\S+) -H 'content-type: (\S+)' -d '(.*)'`)
	lines := curl.FindAllStringSubmatch(p.said(), -1)
	if len(lines) != 3 {
		t.Fatalf("%d curl lines, want 3:\n%s", len(lines), p.said())
	}
	wantRoutes := []string{"orders-to-processing", "payments-to-audit", "sensors-to-mqtt"}
	var ids []string
	for i, line := range lines {
		status, answer, _ := post(t, line[1], line[2], line[3])
		var said struct {
			ID     string
			Routes []string
		}
		if err := json.Unmarshal([]byte(answer), &said); err != nil || status != http.StatusOK || len(said.Routes) != 1 || said.Routes[0] != wantRoutes[i] {
			t.Errorf("%s: %d %s", line[3], status, answer)
		}
		ids = append(ids, said.ID)
		if got := p.until(said.ID); !strings.Contains(got, wantRoutes[i]) || !strings.Contains(got, " ok in ") {
			t.Errorf("the event's line: %s", got)
		}
	}

	var inKafka []tail.Item
	err := tail.Run(t.Context(), "kafka://"+p.kafka+"/order-processing", tail.Options{
		Last: 10, Log: slog.New(slog.DiscardHandler), Emit: func(i tail.Item) { inKafka = append(inKafka, i) },
	})
	if err != nil || len(inKafka) != 1 || inKafka[0].Event.ID != ids[0] || string(inKafka[0].Event.Data) != lines[0][3] {
		t.Errorf("in Kafka: %v, %+v", err, inKafka)
	}
	if !strings.Contains(p.said(), "POST /audit  payment.settled  "+lines[1][3]) {
		t.Errorf("the webhook did not print the payment:\n%s", p.said())
	}
	select {
	case m := <-readings:
		var event struct{ ID, Type string }
		if json.Unmarshal(m.Payload(), &event) != nil || event.ID != ids[2] || m.Topic() != "sensors/sensor.reading" {
			t.Errorf("in MQTT: %s %s", m.Topic(), m.Payload())
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing came in MQTT")
	}
	if status := p.stop(); status != 0 {
		t.Errorf("SIGTERM: exit status %d", status)
	}
	if left, err := os.ReadDir(p.temp); err != nil || len(left) > 0 {
		t.Errorf("it left %v behind (%v)", left, err)
	}
}

func subscribe(t *testing.T, broker, filter string) <-chan paho.Message {
	t.Helper()
	messages := make(chan paho.Message, 10)
	client := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + broker).SetClientID("test"))
	if token := client.Connect(); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	t.Cleanup(func() { client.Disconnect(0) })
	token := client.Subscribe(filter, 1, func(_ paho.Client, m paho.Message) { messages <- m })
	if !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	return messages
}

func TestBadInputIsAnsweredAndHarmsNothing(t *testing.T) {
	p := startDev(t, nil)
	events := "http://" + p.proxy + "/events"
	for _, test := range []struct {
		name, contentType, body string
		status                  int
	}{
		{"broken JSON", "application/json", `{"event_type":`, 400},
		{"deep JSON", "application/cloudevents+json", strings.Repeat("[", 100_000), 400},
		{"a CloudEvent without a type", "application/cloudevents+json", `{"specversion":"1.0","id":"1","source":"s"}`, 400},
		{"a media type of CloudEvents that is unknown", "application/cloudevents+xml", `<e/>`, 415},
		{"an event larger than the limit", "application/json", `{"event_type":"a","x":"` + strings.Repeat("x", 1<<20) + `"}`, 413},
		{"a body of 200 MB", "text/plain", strings.Repeat("x", 200<<20), 413},
	} {
		status, answer, header := post(t, events, test.contentType, test.body)
		if status != test.status || !strings.HasPrefix(header.Get("Content-Type"), "application/problem+json") {
			t.Errorf("%s: %d %s %s", test.name, status, header.Get("Content-Type"), answer[:min(300, len(answer))])
		}
	}
	request, _ := http.NewRequest("POST", events, strings.NewReader("{}"))
	request.Header.Set("Content-Type", "application/json")
	for i := range 1000 {
		request.Header.Set("X-Many-"+strings.Repeat("i", i%40)+string(rune('a'+i%26)), "v")
	}
	request.Header["X-Latin"] = []string{"caf\xe9"}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		t.Errorf("many headers, one of them not UTF-8: %s", response.Status)
	}
	if status, answer, _ := post(t, events, "application/json", `{"event_type":"order.created"}`); status != http.StatusOK {
		t.Errorf("after all that: %d %s", status, answer)
	}
}

func TestABrokerThatIsAwayIsNamedAndComesBackWithoutARestart(t *testing.T) {
	routes := filepath.Join(t.TempDir(), "routes.yaml")
	write(t, routes, `
defaults: {retry: {max_attempts: 2}}
routes:
  - name: hook
    match: {}
    destinations: [{type: http, address: "http://${HOOK}/x"}]
`)
	hook := newSwitchedServer(t)
	p := startDev(t, []string{"HOOK=" + hook.address}, "--routes", routes)
	if said := p.said(); strings.Count(said, "curl ") != 1 || strings.Contains(said, "order-processing") {
		t.Errorf("the welcome tells of routes that are not there:\n%s", said)
	}
	events := "http://" + p.proxy + "/events"
	status, answer, _ := post(t, events, "text/plain", "x")
	if status != http.StatusBadGateway || !strings.Contains(answer, "http://"+hook.address+"/x") {
		t.Errorf("away: %d %s", status, answer)
	}
	hook.on(t)
	if status, answer, _ := post(t, events, "text/plain", "x"); status != http.StatusOK {
		t.Errorf("back: %d %s", status, answer)
	}
}

func TestKilledAndStartedAgainItTakesEvents(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "keg.socket")
	p := startDev(t, nil, "--socket", socket)
	_ = p.cmd.Process.Kill()
	p.wait()
	if _, err := os.Stat(socket); err != nil {
		t.Fatalf("a kill leaves the socket behind, or this test tests nothing: %v", err)
	}
	p = startDev(t, nil, "--socket", socket)
	if status, answer, _ := post(t, "http://"+p.proxy+"/events", "application/json", `{"event_type":"order.created"}`); status != http.StatusOK {
		t.Errorf("%d %s", status, answer)
	}
}

func TestAnAddressInUseNamesTheFlag(t *testing.T) {
	p := startDev(t, nil)
	status, _, stderr := runKeg(t, nil, append(append([]string{"dev"}, anyPort...), "--kafka-listen", p.kafka)...)
	if status != exitUsage || !strings.Contains(stderr, "--kafka-listen") || !strings.Contains(stderr, "off") {
		t.Errorf("%d %s", status, stderr)
	}
}

func TestEveryListenerCanBeLeftOut(t *testing.T) {
	p := start(t, nil, "dev", "--proxy-listen", "127.0.0.1:0", "--admin-listen", "off", "--kafka-listen", "off",
		"--mqtt-listen", "off", "--webhook-listen", "off", "--http-source-listen", "127.0.0.1:0")
	p.until("ready")
	if n := strings.Count(p.said(), " off "); n != 5 {
		t.Errorf("%d listeners are off, want 5:\n%s", n, p.said())
	}
	address := regexp.MustCompile(`HTTP source\s+(\S+)`).FindStringSubmatch(p.said())[1]
	if status, answer, _ := post(t, "http://"+address+"/", "application/json", `{"event_type":"nothing.takes.this"}`); status != http.StatusAccepted {
		t.Errorf("%d %s", status, answer)
	}
}

func TestTheAdminAPIRefusesAWrongRouteWithTheReason(t *testing.T) {
	p := startDev(t, nil)
	wrong := `{"name":"event-router","config":{"routes":[{"name":"a","match":{},"destinations":[{"type":"kafka","address":"h:1"}]}]}}`
	status, answer, _ := post(t, "http://"+p.admin+"/schemas/plugins/validate", "application/json", wrong)
	if status != http.StatusBadRequest || !strings.Contains(answer, "routes") || !strings.Contains(answer, "schema violation") {
		t.Errorf("%d %s", status, answer)
	}
	right := bytes.Replace([]byte(wrong), []byte(`"h:1"`), []byte(`"h:1","topic":"t"`), 1)
	if status, answer, _ := post(t, "http://"+p.admin+"/schemas/plugins/validate", "application/json", string(right)); status != http.StatusOK {
		t.Errorf("%d %s", status, answer)
	}
}

func TestAWrongKongConfigIsRefusedWithEveryProblemOnALineOfItsOwn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kong.yml")
	write(t, file, `_format_version: "3.0"
routes:
  - name: a
    paths: [/a]
    plugins:
      - {name: event-router, config: {timeout: soon, on_succes: respond}}
      - {name: rate-limiting}
`)
	status, _, stderr := runKeg(t, nil, append(append([]string{"dev"}, anyPort...), "--kong-config", file)...)
	if status != exitUsage || strings.Count(stderr, file) != 3 {
		t.Errorf("exit status %d: %s", status, stderr)
	}
	for _, want := range []string{"timeout", "on_succes", "rate-limiting"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("says nothing of %s: %s", want, stderr)
		}
	}
}

// A source that listens to nobody is never ready to listen, and keeps no first
// look waiting; its broker may be away, too.
func TestAFirstLookWithSourcesThatDoNotListenIsReady(t *testing.T) {
	p := start(t, []string{"KEG_EVENT_SOURCES=mqtt:127.0.0.1:1,kafka:127.0.0.1:1"}, append([]string{"dev"}, anyPort...)...)
	p.until("ready")
	if status := p.stop(); status != 0 {
		t.Errorf("it ended with %d:\n%s", status, p.said())
	}
}
