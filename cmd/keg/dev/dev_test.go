package dev_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kong/keg/cmd/keg/dev"
)

func TestKafkaKeepsWhatIsWrittenToATopicNobodyMade(t *testing.T) {
	kafka, err := dev.StartKafka("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka.Addr()), kgo.AllowAutoTopicCreation(), kgo.ConsumeTopics("made-by-writing"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: "made-by-writing", Value: []byte("hello")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	records := client.PollFetches(ctx).Records()
	if len(records) != 1 || string(records[0].Value) != "hello" {
		t.Fatalf("read back %v", records)
	}
}

// Whoever lets `keg dev` run under load must not find the machine's memory gone.
func TestKafkaForgetsTheOldestRecords(t *testing.T) {
	kafka, err := dev.StartKafka("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka.Addr()), kgo.AllowAutoTopicCreation(),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for range 40 {
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: "big", Value: make([]byte, 900_000)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for ctx.Err() == nil {
		reader, err := kgo.NewClient(kgo.SeedBrokers(kafka.Addr()), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"big": {0: kgo.NewOffset().AtStart()}}))
		if err != nil {
			t.Fatal(err)
		}
		first := reader.PollRecords(ctx, 1).Records()
		reader.Close()
		if len(first) == 1 && first[0].Offset >= 20 { // 36 MB were written, and 16 MiB are kept
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("nothing is forgotten")
}

func TestMQTTHandsOnWhatIsPublished(t *testing.T) {
	broker, err := dev.StartMQTT("127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	client := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + broker.Addr()).SetClientID("t"))
	wait(t, client.Connect())
	defer client.Disconnect(0)
	got := make(chan string, 1)
	wait(t, client.Subscribe("a/#", 1, func(_ paho.Client, m paho.Message) { got <- string(m.Payload()) }))
	wait(t, client.Publish("a/b", 1, false, "hello"))
	select {
	case text := <-got:
		if text != "hello" {
			t.Fatalf("got %q", text)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nothing arrived")
	}
}

func wait(t *testing.T, token paho.Token) {
	t.Helper()
	if !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatalf("MQTT: %v", token.Error())
	}
}

func TestWebhookTellsWhatItIsSent(t *testing.T) {
	got := make(chan dev.Received, 1)
	webhook, err := dev.StartWebhook("127.0.0.1:0", func(r dev.Received) { got <- r })
	if err != nil {
		t.Fatal(err)
	}
	defer webhook.Close()
	response, err := http.Post("http://"+webhook.Addr()+"/hook", "text/plain", bytes.NewReader([]byte("hello")))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		t.Errorf("answered %s", response.Status)
	}
	if r := <-got; r.Path != "/hook" || string(r.Body) != "hello" || r.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("told of %+v", r)
	}
}

func TestABusyAddressIsAnErrorThatSaysWhat(t *testing.T) {
	webhook, err := dev.StartWebhook("127.0.0.1:0", func(dev.Received) {})
	if err != nil {
		t.Fatal(err)
	}
	defer webhook.Close()
	log := slog.New(slog.DiscardHandler)
	if _, err := dev.StartKafka(webhook.Addr()); err == nil {
		t.Error("Kafka listens where the webhook does")
	}
	if _, err := dev.StartMQTT(webhook.Addr(), log); err == nil {
		t.Error("MQTT listens where the webhook does")
	}
	if _, err := dev.StartWebhook(webhook.Addr(), nil); err == nil {
		t.Error("a second webhook listens where the first does")
	}
}
