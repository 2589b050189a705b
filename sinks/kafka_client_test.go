package sinks

import (
	"strings"
	"testing"

	"github.com/IBM/sarama"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
)

// TestKafkaSettingsAreTheClients: a setting that validates and never reaches
// sarama would be a promise that nobody keeps.
func TestKafkaSettingsAreTheClients(t *testing.T) {
	sasl := func(mechanism string) *SASL {
		return &SASL{Mechanism: mechanism, Username: "u", Password: keg.NewSecret("p"), TokenURL: "http://idp", ClientID: "c", ClientSecret: keg.NewSecret("s")}
	}
	secured, err := (&TLS{ServerName: "k", InsecureSkipVerify: true}).Read("tls")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(k *Kafka)
		tls    credentials
		holds  func(c *sarama.Config) bool
	}{
		"acks all":    {func(k *Kafka) { k.Acks = "all" }, credentials{}, func(c *sarama.Config) bool { return c.Producer.RequiredAcks == sarama.WaitForAll }},
		"acks leader": {func(k *Kafka) { k.Acks = "leader" }, credentials{}, func(c *sarama.Config) bool { return c.Producer.RequiredAcks == sarama.WaitForLocal }},
		"acks none":   {func(k *Kafka) { k.Acks = "none" }, credentials{}, func(c *sarama.Config) bool { return c.Producer.RequiredAcks == sarama.NoResponse }},
		"gzip":        {func(k *Kafka) { k.Compression = "gzip" }, credentials{}, func(c *sarama.Config) bool { return c.Producer.Compression == sarama.CompressionGZIP }},
		"snappy":      {func(k *Kafka) { k.Compression = "snappy" }, credentials{}, func(c *sarama.Config) bool { return c.Producer.Compression == sarama.CompressionSnappy }},
		"lz4":         {func(k *Kafka) { k.Compression = "lz4" }, credentials{}, func(c *sarama.Config) bool { return c.Producer.Compression == sarama.CompressionLZ4 }},
		"zstd":        {func(k *Kafka) { k.Compression = "zstd" }, credentials{}, func(c *sarama.Config) bool { return c.Producer.Compression == sarama.CompressionZSTD }},
		"no compression": {func(k *Kafka) { k.Compression = "none" }, credentials{}, func(c *sarama.Config) bool {
			return c.Producer.Compression == sarama.CompressionNone
		}},
		"idempotent": {func(k *Kafka) { k.Idempotent = true }, credentials{}, func(c *sarama.Config) bool {
			return c.Producer.Idempotent && c.Net.MaxOpenRequests == 1
		}},
		"not idempotent": {func(k *Kafka) { k.Idempotent = false }, credentials{}, func(c *sarama.Config) bool {
			return !c.Producer.Idempotent && c.Net.MaxOpenRequests > 1
		}},
		"client_id": {func(k *Kafka) { k.ClientID = "shop" }, credentials{}, func(c *sarama.Config) bool { return c.ClientID == "shop" }},
		"max_message_bytes": {func(k *Kafka) { k.MaxMessageBytes = 4096 }, credentials{}, func(c *sarama.Config) bool {
			return c.Producer.MaxMessageBytes == 4096
		}},
		"tls": {func(*Kafka) {}, secured, func(c *sarama.Config) bool {
			return c.Net.TLS.Enable && c.Net.TLS.Config.ServerName == "k" && c.Net.TLS.Config.InsecureSkipVerify
		}},
		"no tls, no sasl": {func(*Kafka) {}, credentials{}, func(c *sarama.Config) bool { return !c.Net.TLS.Enable && !c.Net.SASL.Enable }},
		"PLAIN": {func(k *Kafka) { k.SASL = sasl("PLAIN") }, credentials{}, func(c *sarama.Config) bool {
			return c.Net.SASL.Enable && c.Net.SASL.Mechanism == sarama.SASLTypePlaintext && c.Net.SASL.User == "u" && c.Net.SASL.Password == "p"
		}},
		"SCRAM": {func(k *Kafka) { k.SASL = sasl("SCRAM-SHA-256") }, credentials{}, func(c *sarama.Config) bool {
			return c.Net.SASL.Mechanism == sarama.SASLTypeSCRAMSHA256 && c.Net.SASL.SCRAMClientGeneratorFunc != nil
		}},
		"OAUTHBEARER": {func(k *Kafka) { k.SASL = sasl("OAUTHBEARER") }, credentials{}, func(c *sarama.Config) bool {
			return c.Net.SASL.Mechanism == sarama.SASLTypeOAuth && c.Net.SASL.TokenProvider != nil
		}},
		// What was paid for by others.
		"bounded buffers, both results, no linger": {func(*Kafka) {}, credentials{}, func(c *sarama.Config) bool {
			p := c.Producer
			return p.Retry.MaxBufferLength > 0 && p.Retry.MaxBufferBytes > 0 && p.Return.Successes && p.Return.Errors && p.Flush.Frequency == 0
		}},
	} {
		t.Run(name, func(t *testing.T) {
			k := kafkaSettings("a:9092", "orders")
			test.change(k)
			w := clients.NewWire()
			defer w.Cut()
			if config := k.cluster(test.tls).config(w); !test.holds(config) {
				t.Errorf("%+v", config.Producer)
			}
		})
	}
}

// TestARecordBeyondMaxMessageBytesIsRefusedForGood: no later attempt makes it
// smaller.
func TestARecordBeyondMaxMessageBytesIsRefusedForGood(t *testing.T) {
	settings := kafkaSettings("127.0.0.1:1", "orders")
	settings.MaxMessageBytes = 1024
	e := testEvent("1")
	e.Data = make([]byte, 1024)
	err := openSink(t, newPool(t), kafkaDestination(settings)).Send(t.Context(), e)
	if !keg.IsPermanent(err) || !strings.Contains(err.Error(), "max_message_bytes, 1024") {
		t.Errorf("%v", err)
	}
}
