package sinks

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"unicode"

	"github.com/IBM/sarama"
	"github.com/eapache/go-resiliency/breaker"

	"github.com/kong/keg"
)

// What a record's error comes to. Every error that stands in none of the lists
// is transient: those that may have left the record with the broker, and those
// that nobody has met yet, for which a second look is the smaller harm.
// ErrUnknownTopicOrPartition is among the transient, and no outage: the cluster
// is there, and an event may have named the topic.
var (
	// outages are the errors in which the record has no part: as things are, the
	// cluster would take no other in its place.
	outages = []error{
		// No broker was spoken to.
		sarama.ErrOutOfBrokers,
		sarama.ErrBrokerNotFound,
		sarama.ErrNotConnected,
		sarama.ErrBrokerNotAvailable,
		sarama.ErrControllerNotAvailable,
		sarama.ErrProducerRetryBufferOverflow, // so many records wait for a broker already
		// No broker lets KEG in, which is mended there or in the configuration.
		sarama.ErrSASLAuthenticationFailed,
		sarama.ErrUnsupportedSASLMechanism,
		sarama.ErrIllegalSASLState,
		sarama.ErrUnknownScramMechanism,
		// A broker was spoken to, and has not kept the record, for it leads the
		// partition no more, or has no disk.
		sarama.ErrLeaderNotAvailable,
		sarama.ErrNotLeaderForPartition,
		sarama.ErrReplicaNotAvailable,
		sarama.ErrKafkaStorageError,
		// Too few replicas are in sync. The second one has left the record in the
		// leader's log; but the leader looks first and appends then, so that the
		// next attempts meet the first one, and copies do not pile up.
		sarama.ErrNotEnoughReplicas,
		sarama.ErrNotEnoughReplicasAfterAppend,
	}

	// refusals are the errors that no later attempt can mend.
	refusals = []error{
		sarama.ErrInvalidTopic,
		sarama.ErrInvalidRecord,
		sarama.ErrInvalidTimestamp,
		sarama.ErrInvalidRequiredAcks,
		sarama.ErrInvalidConfig,
		sarama.ErrPolicyViolation,
		sarama.ErrTopicAuthorizationFailed,
		sarama.ErrClusterAuthorizationFailed,
		sarama.ErrTransactionalIDAuthorizationFailed,
		sarama.ErrSecurityDisabled,
		sarama.ErrUnsupportedVersion,
		sarama.ErrUnsupportedForMessageFormat,
		sarama.ErrUnsupportedCompressionType,
	}

	// tooLargeErrors are refusals too, of a batch.
	tooLargeErrors = []error{sarama.ErrMessageSizeTooLarge, sarama.ErrMessageSetSizeTooLarge}

	// spoilers are the errors after which a producer is of no more use: it reaches
	// no broker, or the brokers have lost the thread of its numbers. A new one
	// finds out at once whether the cluster is back, where sarama would refuse
	// records for ten more seconds.
	spoilers = []error{
		sarama.ErrOutOfBrokers,
		sarama.ErrClosedClient,
		sarama.ErrShuttingDown,
		sarama.ErrInvalidProducerEpoch,
		sarama.ErrUnknownProducerID,
		sarama.ErrInvalidProducerIDMapping,
		sarama.ErrOutOfOrderSequenceNumber,
		sarama.ErrProducerFenced,
	}
)

// classify says by type what a record's error is worth: final, an outage, or
// transient.
func classify(err error) error {
	var (
		config   sarama.ConfigurationError
		encoding sarama.PacketEncodingError
	)
	switch {
	case err == nil, keg.IsPermanent(err), keg.IsUnreachable(err):
		return err
	case isAny(err, tooLargeErrors):
		return tooLarge(err, 0)
	case errors.As(err, &config), errors.As(err, &encoding), isAny(err, refusals):
		return keg.Permanent(err)
	case isAny(err, outages), neverConnected(err), errors.Is(err, breaker.ErrBreakerOpen):
		return keg.Unreachable(explain(err))
	}
	return explain(err)
}

// neverConnected reports whether err is of a connection that did not come
// about: its dialling, or its TLS handshake, which comes with the first bytes.
func neverConnected(err error) bool {
	var (
		network     *net.OpError
		certificate *tls.CertificateVerificationError
		header      tls.RecordHeaderError
	)
	if errors.As(err, &certificate) || errors.As(err, &header) {
		return true
	}
	// crypto/tls calls by the other two an alert, the peer's or its own: there is
	// none once a connection works.
	return errors.As(err, &network) && (network.Op == "dial" || network.Op == "remote error" || network.Op == "local error")
}

// explain adds what some errors of sarama's leave open.
func explain(err error) error {
	switch {
	case errors.Is(err, breaker.ErrBreakerOpen):
		return fmt.Errorf("the topic had no leader three times in a row, and the client looks again within ten seconds: %w", err)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("the broker closed the connection: %w", err)
	}
	return err
}

// classifyRecord is classify for a record's own error. A broker that finds a
// batch too large refuses every record in it, most of which would have been
// welcome: only one that travelled alone is known to be too large itself.
func classifyRecord(err error, alone bool) error {
	if !alone && isAny(err, tooLargeErrors) {
		return &batchTooLargeError{err}
	}
	return classify(err)
}

// batchTooLargeError: the broker refused the batch that a record travelled in.
type batchTooLargeError struct{ err error }

func (e *batchTooLargeError) Error() string {
	return "the batch was larger than the broker takes; set max_message_bytes to the topic's max.message.bytes: " + e.err.Error()
}
func (e *batchTooLargeError) Unwrap() error { return e.err }

// kafkaError is an error of Kafka's in one line of bounded length: brokers
// write part of the text, and sarama joins theirs by newlines.
type kafkaError struct{ err error }

const maxErrorText = 500

func (e *kafkaError) Unwrap() error { return e.err }

func (e *kafkaError) Error() string {
	text := strings.TrimPrefix(e.err.Error(), "kafka: ")
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + "..."
	}
	return "kafka: " + strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// spoils reports whether the error is about the producer, not the record.
func spoils(err error) bool { return isAny(err, spoilers) }

func isAny(err error, targets []error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
