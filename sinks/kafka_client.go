package sinks

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"
	metrics "github.com/rcrowley/go-metrics"

	"github.com/kong/keg/clients"
)

var kafkaAcks = map[string]sarama.RequiredAcks{
	"all":    sarama.WaitForAll,
	"leader": sarama.WaitForLocal,
	"none":   sarama.NoResponse,
}

var kafkaCompression = map[string]sarama.CompressionCodec{
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
}

// sarama keeps a dozen meters for each broker, which nobody reads here, and
// go-metrics turns them off only for the whole process.
func init() { metrics.UseNilMetrics = true }

// cluster is what tells one Kafka client from another: destinations that differ
// in topic, key, format or headers only share a client.
type cluster struct {
	addresses       string // sorted, joined by commas
	acks            sarama.RequiredAcks
	compression     sarama.CompressionCodec
	idempotent      bool
	clientID        string
	maxMessageBytes int
	maxBatchRecords int // 0: any number
	ackTimeout      time.Duration
	singly          bool // each record in a batch of its own
	tls             credentials
	login           clients.Login
}

func (k *Kafka) cluster(tls credentials) cluster {
	addresses := slices.Sorted(slices.Values(k.Address))
	acks := kafkaAcks[k.Acks]
	return cluster{
		addresses:       strings.Join(slices.Compact(addresses), ","),
		acks:            acks,
		compression:     kafkaCompression[k.Compression],
		idempotent:      k.Idempotent && acks == sarama.WaitForAll,
		clientID:        k.ClientID,
		maxMessageBytes: k.MaxMessageBytes,
		maxBatchRecords: k.MaxBatchRecords,
		ackTimeout:      k.AckTimeout,
		tls:             tls,
		login:           k.SASL.Login(),
	}
}

// config is sarama's view of the cluster. What differs from its defaults does
// for a reason that was paid for.
func (c cluster) config(w *clients.Wire) *sarama.Config {
	config := sarama.NewConfig()
	config.ClientID = c.clientID
	config.Metadata.Full = false // only the topics that are sent to
	config.Metadata.Retry.Max, config.Metadata.Retry.Backoff = 3, 100*time.Millisecond
	config.Metadata.Timeout = 15 * time.Second

	config.Net.Proxy.Enable, config.Net.Proxy.Dialer = true, w
	config.Net.ReadTimeout = c.ackTimeout + 5*time.Second // the broker may use all of Producer.Timeout
	config.Net.WriteTimeout = 10 * time.Second
	if tls := c.tls.Config(); tls != nil {
		config.Net.TLS.Enable, config.Net.TLS.Config = true, tls
	}
	c.login.Apply(w.Context(), config)
	if tokens := config.Net.SASL.TokenProvider; tokens != nil {
		config.Net.SASL.TokenProvider = outageTokens{tokens}
	}

	p := &config.Producer
	p.RequiredAcks = c.acks
	p.Compression = c.compression
	p.MaxMessageBytes = c.maxMessageBytes
	p.Timeout = c.ackTimeout
	p.Partitioner = sarama.NewMurmur2Partitioner // a key's partition is the one that Java's clients choose
	p.Return.Successes, p.Return.Errors = true, true
	p.Flush.MaxMessages = c.maxBatchRecords // and no Frequency: a batch is what came while the last was on its way
	if c.singly {
		p.Flush.MaxMessages = 1
	}
	// Attempts are the hub's. What sarama repeats is one attempt over a
	// connection that broke or to a leader that moved, under the same number,
	// which is what makes idempotence worth its name; then it gives the record up
	// and starts a new epoch.
	p.Retry.Max = 4
	p.Retry.BackoffFunc = func(retries, _ int) time.Duration { // 1.5 s in all: a leader's election
		return 100 * time.Millisecond << max(retries-1, 0)
	}
	p.Retry.MaxBufferLength = 16 << 10
	p.Retry.MaxBufferBytes = 64 << 20
	p.Transaction.Retry.Max = 2 // also of asking for the numbers' first
	if c.idempotent {
		p.Idempotent = true
		config.Net.MaxOpenRequests = 1
	}
	return config
}

// outageTokens mark the error of a token that could not be had: without one there
// is no connection, and no record has part in that.
type outageTokens struct{ sarama.AccessTokenProvider }

func (t outageTokens) Token() (*sarama.AccessToken, error) {
	token, err := t.AccessTokenProvider.Token()
	if err != nil {
		return nil, outage(err)
	}
	return token, nil
}

// dial opens a producer. An idempotent one asks a broker for its number here;
// the others first speak when there is a record. Its errors say nothing of any
// record.
func (c cluster) dial(ctx context.Context) (*producer, error) {
	w := clients.NewWire()
	defer context.AfterFunc(ctx, w.Cut)() // sarama knows no contexts
	client, err := sarama.NewClient(strings.Split(c.addresses, ","), c.config(w))
	if err != nil {
		w.Cut()
		return nil, &kafkaError{explain(err)}
	}
	async, err := sarama.NewAsyncProducerFromClient(client)
	if err != nil {
		w.Cut()
		_ = client.Close()
		return nil, &kafkaError{explain(err)}
	}
	p := newProducer(async, client, w)
	p.singly = c.singly
	return p, nil
}
