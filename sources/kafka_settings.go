package sources

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
)

// What holds where a setting does not say, as the tags have it.
const (
	defaultKafkaTopic  = "keg.events"
	defaultGroup       = "keg"
	defaultClientID    = "keg"
	defaultMaxInFlight = 500
)

// KafkaSettings are the settings of a source of type "kafka": topics of a
// cluster, read as a member of a consumer group.
type KafkaSettings struct {
	Address     []string      `keg:"address,required,split" doc:"The cluster's brokers, host:port, one or several."`
	Topics      []string      `keg:"topics,split" default:"keg.events" doc:"The topics to read. One that is not there yet is waited for."`
	Group       string        `keg:"group" default:"keg" doc:"The consumer group. Nodes of the same group share the records between them."`
	ClientID    string        `keg:"client_id" default:"keg" doc:"The name that the broker's logs and quotas know this client by."`
	Start       string        `keg:"start" default:"oldest" enum:"oldest,newest" doc:"Where a group begins that has read nothing yet: with the oldest record that is kept, or with what comes from now on. A partition or topic that appears later is read from its first record."`
	MaxInFlight int           `keg:"max_in_flight" default:"500" min:"1" max:"10000" doc:"How many records of one partition are handed on at a time."`
	TLS         *clients.TLS  `keg:"tls" doc:"Speak TLS with the brokers."`
	SASL        *clients.SASL `keg:"sasl" doc:"Log in at the brokers."`
}

func kafkaKind() kind {
	return kind{
		SourceType: keg.SourceType{
			Name: "kafka",
			Doc:  "Topics of a Kafka cluster, read as a member of a consumer group; offsets are committed when events are safe.",
			New:  func() keg.SourceSettings { return &KafkaSettings{} },
		},
		open: openKafka,
	}
}

// Label is kafka://host:port,host:port?topics=a|b&group=g.
func (k *KafkaSettings) Label() string {
	return brokerLabel("kafka", strings.Join(k.Address, ","), k.Topics, k.Group)
}

// Validate reports every setting that is wrong.
func (k *KafkaSettings) Validate() error {
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
	if len(k.Topics) == 0 {
		fail("topics", "needs at least one topic")
	}
	for i, topic := range k.Topics {
		if err := clients.CheckKafkaTopic(topic); err != nil {
			fail("topics", "%.260q %v", topic, err)
		} else if slices.Contains(k.Topics[:i], topic) {
			fail("topics", "has %q twice", topic)
		}
	}
	if k.Group == "" || len(k.Group) > clients.MaxKafkaName || strings.ContainsFunc(k.Group, isControl) {
		fail("group", "must be 1 to %d characters, none of them a control character", clients.MaxKafkaName)
	}
	if !clients.IsKafkaName(k.ClientID) || len(k.ClientID) > clients.MaxKafkaName {
		fail("client_id", "must be 1 to %d of the characters a-z, A-Z, 0-9, dot, underscore and hyphen", clients.MaxKafkaName)
	}
	if k.Start != "oldest" && k.Start != "newest" {
		fail("start", "must be oldest or newest")
	}
	if k.MaxInFlight < 1 || k.MaxInFlight > 10_000 {
		fail("max_in_flight", "must be between 1 and 10000")
	}
	errs = append(errs, k.TLS.Problems("tls")...)
	errs = append(errs, k.SASL.Problems("sasl")...)
	return errors.Join(errs...)
}

func isControl(r rune) bool { return r < ' ' || r >= 0x7F && r <= 0x9F }

// brokerLabel is a source in the long form that [Parse] reads.
func brokerLabel(protocol, address string, topics []string, group string) string {
	text := protocol + "://" + address
	separator := "?"
	if len(topics) > 0 {
		text += separator + "topics=" + strings.Join(topics, "|")
		separator = "&"
	}
	if group != "" {
		text += separator + "group=" + group
	}
	return text
}
