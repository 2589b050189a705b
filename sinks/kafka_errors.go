package sinks

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/IBM/sarama"
	"github.com/eapache/go-resiliency/breaker"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
)

// refusals are Kafka's errors that no later attempt can mend. Every other one
// is transient: those that the protocol calls retriable, and those that nobody
// has met yet, for which a second look is the smaller harm.
var refusals = []error{
	sarama.ErrMessageSizeTooLarge,
	sarama.ErrMessageSetSizeTooLarge,
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
	sarama.ErrUnsupportedSASLMechanism,
	sarama.ErrIllegalSASLState,
	sarama.ErrSASLAuthenticationFailed,
	sarama.ErrUnsupportedVersion,
	sarama.ErrUnsupportedForMessageFormat,
	sarama.ErrUnsupportedCompressionType,
	sarama.ErrUnknownScramMechanism,
}

// spoilers are the errors after which a producer is of no more use: it reaches
// no broker, or the brokers have lost the thread of its numbers. A new one
// finds out at once whether the cluster is back, where sarama would refuse
// records for ten more seconds.
var spoilers = []error{
	sarama.ErrOutOfBrokers,
	sarama.ErrClosedClient,
	sarama.ErrShuttingDown,
	sarama.ErrInvalidProducerEpoch,
	sarama.ErrUnknownProducerID,
	sarama.ErrInvalidProducerIDMapping,
	sarama.ErrOutOfOrderSequenceNumber,
	sarama.ErrProducerFenced,
}

// classify marks what is final, by type.
func classify(err error) error {
	var (
		config   sarama.ConfigurationError
		encoding sarama.PacketEncodingError
		token    *clients.TokenRefusedError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &token):
		// As RFC 6749 means it: 400 and 401 are about the client, the rest passes.
		if token.Status == 400 || token.Status == 401 || token.Status == 403 {
			return keg.Permanent(err)
		}
		return err
	case errors.Is(err, breaker.ErrBreakerOpen):
		return fmt.Errorf("the topic had no leader three times in a row, and the client looks again within ten seconds: %w", err)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("the broker closed the connection: %w", err)
	case errors.As(err, &config), errors.As(err, &encoding), isAny(err, refusals):
		return keg.Permanent(err)
	}
	return err
}

// classifyRecord is classify for a record's own error. A broker that finds a
// batch too large refuses every record in it, most of which would have been
// welcome: only one that travelled alone is known to be too large itself.
func classifyRecord(err error, alone bool) error {
	if !alone && (errors.Is(err, sarama.ErrMessageSizeTooLarge) || errors.Is(err, sarama.ErrMessageSetSizeTooLarge)) {
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
