package tail_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kong/keg/cmd/keg/dev"
	"github.com/kong/keg/cmd/keg/tail"
	"github.com/kong/keg/test/ports"
)

// watch runs a tail, and returns what it emits as "place data".
func watch(t *testing.T, address string, o tail.Options) (lines chan string, done chan error, stop context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	lines, done = make(chan string, 100), make(chan error, 1)
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	o.Emit = func(i tail.Item) { lines <- i.Place + " " + string(i.Event.Data) }
	go func() {
		done <- tail.Run(ctx, address, o)
		close(lines)
	}()
	return lines, done, cancel
}

func collect(lines chan string) (all []string) {
	for line := range lines {
		all = append(all, line)
	}
	return all
}

func next(t *testing.T, lines chan string) string {
	t.Helper()
	select {
	case line := <-lines:
		return line
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
		return ""
	}
}

func startKafka(t *testing.T) (address string, write func(topic string, partition int32, values ...string)) {
	t.Helper()
	kafka, err := dev.StartKafka("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka.Addr()), kgo.AllowAutoTopicCreation(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return kafka.Addr(), func(topic string, partition int32, values ...string) {
		t.Helper()
		for _, v := range values {
			if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: partition, Value: []byte(v)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Millisecond) // records are told apart by their time, in ms
		}
	}
}

func TestTheLastOfAllPartitionsComeFirstInOrderOfTime(t *testing.T) {
	address, write := startKafka(t)
	write("orders", 0, "a", "b")
	write("orders", 1, "c")
	write("orders", 0, "d")
	lines, done, _ := watch(t, "kafka://"+address+"/orders", tail.Options{Last: 3})
	want := []string{"orders[0]@1 b", "orders[1]@0 c", "orders[0]@2 d"}
	if diff := cmp.Diff(want, collect(lines)); diff != "" {
		t.Error(diff)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestATailGoesOnWithWhatComesUntilInterrupted(t *testing.T) {
	address, write := startKafka(t)
	write("orders", 0, "old", "older")
	lines, done, stop := watch(t, "kafka://"+address+"/orders", tail.Options{Last: 1, Follow: true})
	if got := next(t, lines); got != "orders[0]@1 older" {
		t.Errorf("first %q", got)
	}
	write("orders", 2, "new")
	if got := next(t, lines); got != "orders[2]@0 new" {
		t.Errorf("then %q", got)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("an interrupt is no error: %v", err)
	}
}

func TestATopicThatIsNotThereYetIsWaitedFor(t *testing.T) {
	address, write := startKafka(t)
	lines, _, stop := watch(t, "kafka://"+address+"/later", tail.Options{Last: 10, Follow: true})
	write("later", 0, "first")
	if got := next(t, lines); got != "later[0]@0 first" {
		t.Errorf("got %q", got)
	}
	stop()

	_, done, _ := watch(t, "kafka://"+address+"/never", tail.Options{Last: 10})
	if err := <-done; err == nil || !strings.Contains(err.Error(), `no topic "never"`) {
		t.Errorf("without following: %v", err)
	}
}

func TestRetainedMessagesComeFirstThenWhatIsPublished(t *testing.T) {
	broker, err := dev.StartMQTT("127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	client := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + broker.Addr()).SetClientID("w"))
	publish := func(topic string, retained bool, text string) {
		if token := client.Publish(topic, 1, retained, text); !token.WaitTimeout(5*time.Second) || token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	if token := client.Connect(); !token.WaitTimeout(5*time.Second) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	t.Cleanup(func() { client.Disconnect(0) })
	publish("room/1/temperature", true, "20")
	publish("elsewhere", false, "") // the broker acknowledges a message before it hands it out, and the next one after that
	lines, _, _ := watch(t, "mqtt://"+broker.Addr()+"/room/#", tail.Options{Last: 10, Follow: true})
	if got := next(t, lines); got != "room/1/temperature 20" {
		t.Errorf("retained: %q", got)
	}
	publish("room/2/temperature", false, "21")
	if got := next(t, lines); got != "room/2/temperature 21" {
		t.Errorf("published: %q", got)
	}
	kept, _, _ := watch(t, "mqtt://"+broker.Addr()+"/room/#", tail.Options{Last: 10})
	if diff := cmp.Diff([]string{"room/1/temperature 20"}, collect(kept)); diff != "" {
		t.Errorf("without following: %s", diff)
	}
}

func TestAnHTTPAddressShowsWhatIsSentToIt(t *testing.T) {
	address, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	lines, done, stop := watch(t, "http://"+address, tail.Options{Follow: true})
	post := func() (*http.Response, error) {
		return http.Post("http://"+address+"/hook", "application/json", strings.NewReader(`{"event_type":"a.b"}`))
	}
	response, err := post()
	for i := 0; err != nil && i < 200; i++ { // until it listens
		time.Sleep(10 * time.Millisecond)
		response, err = post()
	}
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if got := next(t, lines); got != `/hook {"event_type":"a.b"}` || response.StatusCode != http.StatusNoContent {
		t.Errorf("%s, %q", response.Status, got)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAWrongAddressSaysTheRightForm(t *testing.T) {
	for address, want := range map[string]string{
		"orders":                  "use kafka://host:port/topic",
		"amqp://h:1/q":            "use kafka://host:port/topic",
		"kafka://127.0.0.1:9092":  "names no topic",
		"mqtt://127.0.0.1:1883":   "names no filter",
		"kafka://127.0.0.1:1/t":   "no Kafka broker answers",
		"mqtt://127.0.0.1:1/t":    "no MQTT broker answers",
		"http://256.0.0.1:1":      "cannot listen",
		"kafka://127.0.0.1:1%/tt": "use kafka://host:port/topic",
	} {
		err := tail.Run(t.Context(), address, tail.Options{Log: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
