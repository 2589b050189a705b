package sinks

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/IBM/sarama"
	"github.com/eapache/go-resiliency/breaker"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
)

func TestKafkasErrorsSayByTypeWhatToDo(t *testing.T) {
	permanent := []error{
		sarama.ErrMessageSizeTooLarge, sarama.ErrMessageSetSizeTooLarge, sarama.ErrInvalidTopic, sarama.ErrInvalidRecord,
		sarama.ErrInvalidTimestamp, sarama.ErrPolicyViolation, sarama.ErrTopicAuthorizationFailed,
		sarama.ErrClusterAuthorizationFailed, sarama.ErrSASLAuthenticationFailed, sarama.ErrUnsupportedSASLMechanism,
		sarama.ErrUnsupportedVersion, sarama.ErrUnsupportedForMessageFormat, sarama.ErrUnsupportedCompressionType,
		sarama.ErrInvalidRequiredAcks, sarama.ErrInvalidConfig, sarama.ErrSecurityDisabled,
		sarama.ConfigurationError("no"), sarama.PacketEncodingError{Info: "too long"},
		sarama.Wrap(sarama.ErrSASLAuthenticationFailed, errors.New("by the broker")),
		sarama.Wrap(sarama.ErrOutOfBrokers, sarama.ErrSASLAuthenticationFailed),
		fmt.Errorf("orders: %w", sarama.ErrTopicAuthorizationFailed),
		&clients.TokenRefusedError{Status: 401, Code: "invalid_client"}, &clients.TokenRefusedError{Status: 400, Code: "invalid_scope"},
	}
	transient := []error{
		sarama.ErrUnknown, sarama.ErrInvalidMessage, sarama.ErrUnknownTopicOrPartition, sarama.ErrLeaderNotAvailable,
		sarama.ErrNotLeaderForPartition, sarama.ErrRequestTimedOut, sarama.ErrBrokerNotAvailable, sarama.ErrReplicaNotAvailable,
		sarama.ErrNetworkException, sarama.ErrNotEnoughReplicas, sarama.ErrNotEnoughReplicasAfterAppend, sarama.ErrNotController,
		sarama.ErrOutOfOrderSequenceNumber, sarama.ErrInvalidProducerEpoch, sarama.ErrKafkaStorageError,
		sarama.ErrUnknownProducerID, sarama.ErrFencedLeaderEpoch, sarama.ErrUnknownLeaderEpoch, sarama.ErrThrottlingQuotaExceeded,
		sarama.ErrProducerFenced, sarama.KError(9999),
		sarama.ErrOutOfBrokers, sarama.ErrNotConnected, sarama.ErrClosedClient, sarama.ErrShuttingDown,
		sarama.ErrIncompleteResponse, sarama.ErrProducerRetryBufferOverflow, sarama.ErrInsufficientData, breaker.ErrBreakerOpen,
		io.EOF, io.ErrUnexpectedEOF, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, errors.New("never met"),
		&clients.TokenRefusedError{Status: 429}, &clients.TokenRefusedError{Status: 500},
	}
	for _, err := range permanent {
		if got := classify(err); !keg.IsPermanent(got) || !errors.Is(got, err) {
			t.Errorf("%v must be permanent, and say what it was", err)
		}
	}
	for _, err := range transient {
		if got := classify(err); got == nil || keg.IsPermanent(got) || !errors.Is(got, err) {
			t.Errorf("%v must be transient, and say what it was", err)
		}
	}
	if classify(nil) != nil {
		t.Error("no error became one")
	}
}

func TestARecordIsTooLargeForGoodOnlyWhereItTravelledAlone(t *testing.T) {
	for _, err := range []error{sarama.ErrMessageSizeTooLarge, sarama.ErrMessageSetSizeTooLarge} {
		if !keg.IsPermanent(classifyRecord(err, true)) {
			t.Errorf("%v, alone, must be permanent", err)
		}
		if keg.IsPermanent(classifyRecord(err, false)) {
			t.Errorf("%v, with others, must be transient", err)
		}
	}
	if !keg.IsPermanent(classifyRecord(sarama.ErrInvalidTopic, false)) {
		t.Error("what is final for each record of a batch must be permanent")
	}
}

func TestKafkasErrorsAreOneShortLine(t *testing.T) {
	err := &kafkaError{sarama.Wrap(sarama.ErrOutOfBrokers, errors.New("dial a\r\n"), errors.New("dial b\x00"+strings.Repeat("é", 1000)))}
	text := err.Error()
	if strings.ContainsAny(text, "\r\n\x00") || len(text) > maxErrorText+20 || strings.Contains(text, "�") {
		t.Errorf("%d bytes: %q", len(text), text)
	}
	if !strings.HasPrefix(text, "kafka: client has run out") || !errors.Is(err, sarama.ErrOutOfBrokers) {
		t.Errorf("%q", text)
	}
}
