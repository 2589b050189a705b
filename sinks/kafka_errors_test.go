package sinks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/IBM/sarama"
	"github.com/eapache/go-resiliency/breaker"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
)

// class is what an error asks of whoever judges attempts.
func class(err error) string {
	var tooLarge *keg.TooLargeError
	_, asked := keg.RetryDelay(err)
	switch {
	case err == nil:
		return "taken"
	case keg.IsPermanent(err) && keg.IsUnreachable(err):
		return "permanent and an outage"
	case keg.IsGone(err):
		return "gone"
	case keg.IsPermanent(err) && errors.As(err, &tooLarge):
		return "too large"
	case keg.IsPermanent(err):
		return "permanent"
	case keg.IsUnreachable(err):
		return "outage"
	case asked:
		return "retry-after"
	}
	return "transient"
}

func TestKafkasErrorsSayByTypeWhatToDo(t *testing.T) {
	for want, errs := range map[string][]error{
		"permanent": {
			sarama.ErrInvalidTopic, sarama.ErrInvalidRecord, sarama.ErrInvalidTimestamp, sarama.ErrPolicyViolation,
			sarama.ErrTopicAuthorizationFailed, sarama.ErrClusterAuthorizationFailed, sarama.ErrTransactionalIDAuthorizationFailed,
			sarama.ErrUnsupportedVersion, sarama.ErrUnsupportedForMessageFormat, sarama.ErrUnsupportedCompressionType,
			sarama.ErrInvalidRequiredAcks, sarama.ErrInvalidConfig, sarama.ErrSecurityDisabled,
			sarama.ConfigurationError("no"), sarama.PacketEncodingError{Info: "too long"},
			fmt.Errorf("orders: %w", sarama.ErrTopicAuthorizationFailed),
			clients.AddressGuard(true)("tcp", "169.254.169.254:80", nil), // of token_url
		},
		"too large": {sarama.ErrMessageSizeTooLarge, sarama.ErrMessageSetSizeTooLarge},
		// No broker that could be spoken to, or none that lets KEG in.
		"outage": {
			sarama.ErrOutOfBrokers, sarama.ErrNotConnected, sarama.ErrBrokerNotFound, sarama.ErrBrokerNotAvailable,
			sarama.ErrControllerNotAvailable, sarama.ErrProducerRetryBufferOverflow, breaker.ErrBreakerOpen,
			sarama.Wrap(sarama.ErrOutOfBrokers, io.EOF),
			sarama.Wrap(sarama.ErrOutOfBrokers, sarama.ErrSASLAuthenticationFailed),
			sarama.ErrSASLAuthenticationFailed, sarama.ErrUnsupportedSASLMechanism, sarama.ErrIllegalSASLState, sarama.ErrUnknownScramMechanism,
			sarama.Wrap(sarama.ErrSASLAuthenticationFailed, errors.New("by the broker")),
			outage(errors.New("token_url answered 401")),
			// The network before a connection.
			&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED},
			&net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}},
			&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded},
			&net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")},
			&net.OpError{Op: "local error", Err: errors.New("tls: no application protocol")},
			&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
			tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"},
			// A broker that takes nothing from anybody.
			sarama.ErrLeaderNotAvailable, sarama.ErrNotLeaderForPartition, sarama.ErrReplicaNotAvailable,
			sarama.ErrKafkaStorageError, sarama.ErrNotEnoughReplicas, sarama.ErrNotEnoughReplicasAfterAppend,
		},
		// What may have left the record with the broker, or may be about the record.
		"transient": {
			sarama.ErrUnknown, sarama.ErrInvalidMessage, sarama.ErrUnknownTopicOrPartition, sarama.ErrRequestTimedOut,
			sarama.ErrNetworkException, sarama.ErrNotController, sarama.ErrOutOfOrderSequenceNumber, sarama.ErrInvalidProducerEpoch,
			sarama.ErrUnknownProducerID, sarama.ErrFencedLeaderEpoch, sarama.ErrUnknownLeaderEpoch, sarama.ErrThrottlingQuotaExceeded,
			sarama.ErrProducerFenced, sarama.KError(9999), sarama.ErrClosedClient, sarama.ErrShuttingDown,
			sarama.ErrIncompleteResponse, sarama.ErrInsufficientData,
			io.EOF, io.ErrUnexpectedEOF, errors.New("never met"), context.DeadlineExceeded,
			&net.OpError{Op: "read", Err: syscall.ECONNRESET}, &net.OpError{Op: "write", Err: syscall.EPIPE},
			&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded},
		},
	} {
		for _, err := range errs {
			if got := classify(err); class(got) != want || !errors.Is(got, err) {
				t.Errorf("%v is %s, want %s that says what it was", err, class(got), want)
			}
		}
	}
	if classify(nil) != nil {
		t.Error("no error became one")
	}
}

// sarama's breaker opens after any three failures of a topic, and says nothing of
// them. A topic that does not exist is no outage, and must stay none: an event may
// have named it, and would stop its destination for all others.
func TestABreakerThatIsOpenMeansWhatOpenedIt(t *testing.T) {
	for name, test := range map[string]struct {
		before error
		want   string
	}{
		"nothing known":    {nil, "outage"},
		"no leader":        {sarama.ErrLeaderNotAvailable, "outage"},
		"no broker":        {sarama.ErrOutOfBrokers, "outage"},
		"no such topic":    {sarama.ErrUnknownTopicOrPartition, "transient"},
		"a refused record": {sarama.ErrInvalidRecord, "outage"}, // which opens no breaker
		"a batch":          {sarama.ErrMessageSizeTooLarge, "outage"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &producer{topics: map[string]error{"orders": nil, "others": sarama.ErrUnknownTopicOrPartition}}
			if test.before != nil {
				_ = p.judge("orders", test.before, false)
			}
			for range 2 {
				if got := p.judge("orders", breaker.ErrBreakerOpen, false); class(got) != test.want {
					t.Errorf("%v is %s, want %s", got, class(got), test.want)
				}
			}
		})
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
