package sinks

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
)

// Kafka are the settings of a destination of type "kafka": a topic of a cluster.
type Kafka struct {
	Address         []string      `keg:"address,required,split" doc:"The cluster's brokers, host:port, one or several."`
	Topic           string        `keg:"topic,required" doc:"The topic. Places such as {type} are filled in from the event."`
	Key             string        `keg:"key" default:"{partitionkey}" doc:"The record's key. An event without an attribute that is named here has none."`
	Acks            string        `keg:"acks" default:"all" enum:"all,leader,none" doc:"Who must have a record before it counts as delivered."`
	Compression     string        `keg:"compression" default:"none" enum:"none,gzip,snappy,lz4,zstd" doc:"How batches of records are compressed."`
	Idempotent      bool          `keg:"idempotent" default:"true" doc:"Number the records, so that the broker drops what a broken connection made the client send twice. Has effect with acks all only."`
	ClientID        string        `keg:"client_id" default:"keg" doc:"The name that the broker's logs and quotas know this client by."`
	MaxMessageBytes int           `keg:"max_message_bytes" default:"1048576" min:"1024" max:"94371840" doc:"The largest record, and the largest batch. Not more than the topic's max.message.bytes."`
	MaxBatchRecords int           `keg:"max_batch_records" min:"1" doc:"The most records in one batch; as many as fit where unset."`
	AckTimeout      time.Duration `keg:"ack_timeout" default:"10s" min:"1ms" max:"1m" doc:"How long the broker may wait for its replicas."`
	TLS             *TLS          `keg:"tls" doc:"Speak TLS with the brokers."`
	SASL            *SASL         `keg:"sasl" doc:"Log in at the brokers."`
}

func kafkaKind() kind {
	return kind{
		DestinationType: keg.DestinationType{
			Name:    "kafka",
			Doc:     "A topic of a Kafka cluster.",
			New:     func() keg.Settings { return &Kafka{} },
			Format:  keg.FormatBinary,
			Formats: []keg.Format{keg.FormatBinary, keg.FormatStructured, keg.FormatRaw},
		},
		open: openKafka,
	}
}

// Label is the cluster and the topic as a URL.
func (k *Kafka) Label() string {
	return "kafka://" + strings.Join(k.Address, ",") + "/" + k.Topic
}

// Acknowledges is false for acks none: the broker then answers nothing.
func (k *Kafka) Acknowledges() bool { return k.Acks != "none" }

// Validate reports every setting that is wrong.
func (k *Kafka) Validate() error {
	var errs []error
	fail := func(path, format string, args ...any) {
		errs = append(errs, &keg.FieldError{Path: path, Problem: fmt.Sprintf(format, args...)})
	}
	if len(k.Address) == 0 {
		fail("address", "is required: the cluster's brokers, host:port")
	}
	for _, address := range k.Address {
		if problem := clients.AddressProblem(address); problem != "" {
			fail("address", "%s", problem)
		}
	}
	if topic, err := parseTemplate(k.Topic); err != nil {
		fail("topic", "%s", err)
	} else if err := checkTopicTemplate(topic); err != nil {
		fail("topic", "%s", err)
	}
	if _, err := parseTemplate(k.Key); err != nil {
		fail("key", "%s", err)
	}
	if _, ok := kafkaAcks[k.Acks]; !ok {
		fail("acks", "must be all, leader or none")
	}
	if _, ok := kafkaCompression[k.Compression]; !ok {
		fail("compression", "must be none, gzip, snappy, lz4 or zstd")
	}
	if !clients.IsKafkaName(k.ClientID) || len(k.ClientID) > maxTopicBytes {
		fail("client_id", "must be 1 to %d of the characters a-z, A-Z, 0-9, dot, underscore and hyphen", maxTopicBytes)
	}
	if k.MaxMessageBytes < 1<<10 || k.MaxMessageBytes > 90<<20 {
		fail("max_message_bytes", "must be between 1024 and 94371840 (90 MiB)")
	}
	if k.MaxBatchRecords < 0 {
		fail("max_batch_records", "must be 1 or more")
	}
	if k.AckTimeout < time.Millisecond || k.AckTimeout > time.Minute {
		fail("ack_timeout", "must be between 1ms and 1m")
	}
	errs = append(errs, k.TLS.Problems("tls")...)
	errs = append(errs, k.SASL.Problems("sasl")...)
	return errors.Join(errs...)
}
