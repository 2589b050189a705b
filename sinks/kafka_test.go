package sinks

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
)

func oauth(extensions map[string]string) *SASL {
	return &SASL{Mechanism: "OAUTHBEARER", TokenURL: "https://idp/token", ClientID: "c", ClientSecret: keg.NewSecret("s"), Extensions: extensions}
}

func TestKafkaSettingsThatCannotWork(t *testing.T) {
	tests := map[string]struct {
		change func(k *Kafka)
		paths  []string
	}{
		"the defaults":                    {func(*Kafka) {}, nil},
		"everything":                      {func(k *Kafka) { *k = Kafka{} }, []string{"address", "topic", "acks", "compression", "client_id", "max_message_bytes", "ack_timeout"}},
		"several brokers":                 {func(k *Kafka) { k.Address = []string{"a:9092", "[::1]:9092"} }, nil},
		"an address without a port":       {func(k *Kafka) { k.Address = []string{"a:9092", "b"} }, []string{"address"}},
		"an address that is a URL":        {func(k *Kafka) { k.Address = []string{"kafka://a:9092"} }, []string{"address"}},
		"a port out of range":             {func(k *Kafka) { k.Address = []string{"a:99999"} }, []string{"address"}},
		"a named port":                    {func(k *Kafka) { k.Address = []string{"a:kafka"} }, []string{"address"}},
		"a topic with places":             {func(k *Kafka) { k.Topic = "orders-{tenant}.{type}" }, nil},
		"a topic with a slash":            {func(k *Kafka) { k.Topic = "a/b" }, []string{"topic"}},
		"a slash beside a place":          {func(k *Kafka) { k.Topic = "a/{type}" }, []string{"topic"}},
		"a topic of dots":                 {func(k *Kafka) { k.Topic = ".." }, []string{"topic"}},
		"a topic of 249 characters":       {func(k *Kafka) { k.Topic = strings.Repeat("x", 249) }, nil},
		"a topic of 250 characters":       {func(k *Kafka) { k.Topic = strings.Repeat("x", 250) }, []string{"topic"}},
		"a topic with an open place":      {func(k *Kafka) { k.Topic = "a-{type" }, []string{"topic"}},
		"a key with an open place":        {func(k *Kafka) { k.Key = "{" }, []string{"key"}},
		"no key at all":                   {func(k *Kafka) { k.Key = "" }, nil},
		"acks as a number":                {func(k *Kafka) { k.Acks = "-1" }, []string{"acks"}},
		"acks none beside idempotent":     {func(k *Kafka) { k.Acks = "none" }, nil},
		"an unknown compression":          {func(k *Kafka) { k.Compression = "brotli" }, []string{"compression"}},
		"a client id with a line break":   {func(k *Kafka) { k.ClientID = "a\nb" }, []string{"client_id"}},
		"messages of a GiB":               {func(k *Kafka) { k.MaxMessageBytes = 1 << 30 }, []string{"max_message_bytes"}},
		"batches of fewer than none":      {func(k *Kafka) { k.MaxBatchRecords = -1 }, []string{"max_batch_records"}},
		"a broker that waits for an hour": {func(k *Kafka) { k.AckTimeout = time.Hour }, []string{"ack_timeout"}},
		"an extension that would forge":   {func(k *Kafka) { k.SASL = oauth(map[string]string{"a": "b\x01auth=x"}) }, []string{"sasl.extensions"}},
		"an extension called auth":        {func(k *Kafka) { k.SASL = oauth(map[string]string{"auth": "x"}) }, []string{"sasl.extensions"}},
		"an extension":                    {func(k *Kafka) { k.SASL = oauth(map[string]string{"logicalCluster": "lkc-1"}) }, nil},
		"a certificate without its key":   {func(k *Kafka) { k.TLS = &TLS{Cert: "x"} }, []string{"tls.key"}},
		"sasl without anything":           {func(k *Kafka) { k.SASL = &SASL{} }, []string{"sasl.mechanism"}},
		"PLAIN without user and password": {func(k *Kafka) { k.SASL = &SASL{Mechanism: "PLAIN"} }, []string{"sasl.username", "sasl.password"}},
		"OAUTHBEARER without anything": {
			func(k *Kafka) { k.SASL = &SASL{Mechanism: "OAUTHBEARER"} },
			[]string{"sasl.token_url", "sasl.client_id", "sasl.client_secret"},
		},
		"a password in token_url": {
			func(k *Kafka) {
				k.SASL = &SASL{Mechanism: "OAUTHBEARER", TokenURL: "https://keg:s3cr3t@idp/token", ClientID: "c", ClientSecret: keg.NewSecret("s")}
			},
			[]string{"sasl.token_url"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			settings := kafkaSettings("kafka:9092", "orders")
			test.change(settings)
			err := settings.Validate()
			if got := fieldPaths(err); !slices.Equal(got, test.paths) {
				t.Errorf("problems at %v, want %v (%v)", got, test.paths, err)
			}
			if err != nil && strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("a secret in %v", err)
			}
		})
	}
}

// fieldPaths are the places of the joined field errors.
func fieldPaths(err error) []string {
	if err == nil {
		return nil
	}
	var paths []string
	for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
		var field *keg.FieldError
		if errors.As(err, &field) {
			paths = append(paths, field.Path)
		}
	}
	return paths
}

func TestKafkaTellsWhetherItAcknowledges(t *testing.T) {
	for acks, want := range map[string]bool{"all": true, "leader": true, "none": false} {
		if got := (&Kafka{Acks: acks}).Acknowledges(); got != want {
			t.Errorf("acks %s: %v", acks, got)
		}
	}
}

func TestKafkaLabel(t *testing.T) {
	settings := kafkaSettings("a:9092", "orders-{type}")
	settings.Address = append(settings.Address, "b:9092")
	settings.SASL = &SASL{Mechanism: "PLAIN", Username: "u", Password: keg.NewSecret("s3cr3t")}
	if got, want := settings.Label(), "kafka://a:9092,b:9092/orders-{type}"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestKafkaDestinationsThatDifferInTheTopicOnlyShareAClient(t *testing.T) {
	base := func() *Kafka {
		k := kafkaSettings("a:9092", "orders")
		k.Address = []string{"a:9092", "b:9092"}
		k.SASL = &SASL{Mechanism: "PLAIN", Username: "u", Password: keg.NewSecret("p"), Scopes: []string{"x", "y"}}
		return k
	}
	key := func(k *Kafka) cluster { return k.cluster(credentials{}) }
	shared := map[string]func(k *Kafka){
		"nothing":                 func(*Kafka) {},
		"the topic and the key":   func(k *Kafka) { k.Topic, k.Key = "other", "{id}" },
		"the order of addresses":  func(k *Kafka) { slices.Reverse(k.Address) },
		"an address named twice":  func(k *Kafka) { k.Address = append(k.Address, "a:9092") },
		"the scopes' own strings": func(k *Kafka) { k.SASL.Scopes = []string{"x y"} },
	}
	for name, change := range shared {
		k := base()
		if change(k); key(k) != key(base()) {
			t.Errorf("%s makes another client", name)
		}
	}
	separate := map[string]func(k *Kafka){
		"another broker":    func(k *Kafka) { k.Address = []string{"c:9092"} },
		"acks":              func(k *Kafka) { k.Acks = "leader" },
		"compression":       func(k *Kafka) { k.Compression = "zstd" },
		"idempotent":        func(k *Kafka) { k.Idempotent = false },
		"client_id":         func(k *Kafka) { k.ClientID = "other" },
		"max_message_bytes": func(k *Kafka) { k.MaxMessageBytes = 2048 },
		"max_batch_records": func(k *Kafka) { k.MaxBatchRecords = 10 },
		"ack_timeout":       func(k *Kafka) { k.AckTimeout = time.Second },
		"the extensions":    func(k *Kafka) { k.SASL.Extensions = map[string]string{"a": "b"} },
		"the user":          func(k *Kafka) { k.SASL.Username = "v" },
		"the password":      func(k *Kafka) { k.SASL.Password = keg.NewSecret("q") },
		"no sasl":           func(k *Kafka) { k.SASL = nil },
	}
	for name, change := range separate {
		k := base()
		if change(k); key(k) == key(base()) {
			t.Errorf("%s shares the client", name)
		}
	}
	if k := base(); k.cluster(credentials{}.With()) == key(k) {
		t.Error("tls shares the client")
	}
}

// sarama refuses settings that contradict each other when a client is made,
// which would be long after the routes were read.
func TestEveryKafkaSettingIsOneThatSaramaTakes(t *testing.T) {
	for acks := range kafkaAcks {
		for compression := range kafkaCompression {
			for _, idempotent := range []bool{true, false} {
				for _, mechanism := range []string{"", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"} {
					k := kafkaSettings("a:9092", "orders")
					k.Acks, k.Compression, k.Idempotent = acks, compression, idempotent
					if mechanism != "" {
						k.SASL = &SASL{
							Mechanism: mechanism, Username: "u", Password: keg.NewSecret("p"),
							TokenURL: "http://idp/token", ClientID: "c", ClientSecret: keg.NewSecret("s"),
						}
					}
					if err := k.Validate(); err != nil {
						t.Fatal(err)
					}
					w := clients.NewWire()
					config := k.cluster(credentials{}).config(w)
					if err := config.Validate(); err != nil {
						t.Errorf("%s, %s, idempotent %v, %q: %v", acks, compression, idempotent, mechanism, err)
					}
					if want := idempotent && acks == "all"; config.Producer.Idempotent != want {
						t.Errorf("%s, idempotent %v: %v", acks, idempotent, config.Producer.Idempotent)
					}
					w.Cut()
				}
			}
		}
	}
}

func TestARecordIsWhatTheSettingsAndTheEventSay(t *testing.T) {
	event := testEvent("7")
	event.Type = "order.created"
	event.Extensions = map[string]string{"partitionkey": "k1", "tenant": "blue", "long": strings.Repeat("x", maxKeyBytes+1)}
	tests := map[string]struct {
		topic, key         string
		wantTopic, wantKey string
		problem            string
	}{
		"a fixed topic, the default key":   {topic: "orders", key: "{partitionkey}", wantTopic: "orders", wantKey: "k1"},
		"places in both":                   {topic: "{tenant}.{type}", key: "{tenant}/{id}", wantTopic: "blue.order.created", wantKey: "blue/7"},
		"a key that the event cannot fill": {topic: "orders", key: "{colour}", wantTopic: "orders"},
		"no key":                           {topic: "orders", key: "", wantTopic: "orders"},
		"a fixed key":                      {topic: "orders", key: "one", wantTopic: "orders", wantKey: "one"},
		"a topic that the event cannot fill": {
			topic: "{colour}", problem: `topic: the event has no attribute "colour"`,
		},
		"a topic that would be a path":  {topic: "{source}", problem: `the event's "source" has a character that no topic's name may have`},
		"a topic that comes out as dot": {topic: "{dot}", problem: `must not be "." or ".."`},
		"a topic that is too long":      {topic: "{id}-{long}", problem: "more than 249 bytes"},
		"a key that is too long":        {topic: "orders", key: "{long}", problem: "more than 4096 bytes"},
	}
	event.Extensions["dot"] = "."
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			settings := kafkaSettings("a:9092", test.topic)
			settings.Key = test.key
			sink := openSink(t, newPool(t), kafkaDestination(settings)).(*kafkaSink)
			m, err := sink.record(event)
			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Fatalf("error %v, want %q in it", err, test.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			key := ""
			if m.Key != nil {
				key = fmt.Sprint(m.Key)
			}
			if m.Topic != test.wantTopic || key != test.wantKey {
				t.Errorf("topic %q, key %q, want %q, %q", m.Topic, key, test.wantTopic, test.wantKey)
			}
		})
	}
}

// Whatever an event says, the topic is one that a broker takes, and none of a
// reader's making.
func FuzzKafkaTopic(f *testing.F) {
	for _, seed := range []string{"order.created", "a/b", "..", "a\r\nb", "\x00", "é", "{id}"} {
		f.Add("orders-{type}", seed)
		f.Add("{type}", seed)
	}
	pool := NewPool(testLog(f))
	f.Fuzz(func(t *testing.T, topic, value string) {
		settings := kafkaSettings("a:9092", topic)
		if settings.Validate() != nil {
			return
		}
		sink, err := pool.Open(kafkaDestination(settings))
		if err != nil {
			t.Fatalf("Open of what Validate took: %v", err)
		}
		defer sink.Close()
		e := testEvent("1")
		e.Type = value
		if m, err := sink.(*kafkaSink).record(e); err == nil && clients.CheckKafkaTopic(m.Topic) != nil {
			t.Errorf("topic %q", m.Topic)
		}
	})
}
