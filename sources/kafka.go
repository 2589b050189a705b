package sources

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
)

// kafka reads topics as a member of a consumer group. A partition's records go
// to the intake in order, one call at a time, and an offset is marked, and so
// committed, only when every record before it is safe. A process that dies
// between the intake's yes and the commit is given the records again.
type kafka struct {
	settings *KafkaSettings
	tls      clients.Credentials
	name     string
	brokers  string // the cluster, as a record's source names it
	maxBytes int    // of a record
	log      *slog.Logger
	// grace is how long a call under way gets when the source stops or a
	// partition goes to another member.
	grace time.Duration
	// refresh is how often the topics are looked at for new partitions.
	refresh time.Duration

	trouble complaint // with the brokers
	absent  complaint // topics that are not there
	at      positions
}

const (
	// leaveTimeout bounds the last commit and the goodbye.
	leaveTimeout = 5 * time.Second
	// idleTimeout bounds what else may be under way when the source stops.
	idleTimeout = time.Second
	// shortSession is a session that ended so soon that the next one waits.
	shortSession = 2 * time.Second
)

func openKafka(c keg.SourceConfig, o Options) (keg.Source, error) {
	settings := c.Settings.(*KafkaSettings)
	secured, err := settings.TLS.Read("tls")
	if err != nil {
		return nil, err
	}
	k := &kafka{
		settings: settings, tls: secured, name: c.Name, brokers: strings.Join(settings.Address, ","), maxBytes: o.maxBytes(), log: o.Log,
		grace: max(15*time.Second, c.Timeout+5*time.Second), refresh: 10 * time.Second,
	}
	k.trouble.log, k.absent.log = o.Log, o.Log
	return k, nil
}

// Run reads until ctx ends. A cluster that is away, a topic that is not there and
// whatever else may mend itself are waited for, and told of.
func (k *kafka) Run(ctx context.Context, in keg.Intake) error {
	waits := backoff{first: firstPause, most: mostPause}
	for {
		began := time.Now()
		err := k.live(ctx, in)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > time.Minute {
			waits.reset()
		}
		k.trouble.tell("the Kafka source cannot read; it connects anew", err, "source", k.name)
		if !waits.wait(ctx, 0) {
			return nil
		}
	}
}

// live is one client's life: from connecting to an error that makes it of no
// more use, or ctx's end.
func (k *kafka) live(ctx context.Context, in keg.Intake) error {
	wire := clients.NewWire()
	defer wire.Cut()
	dialling := context.AfterFunc(ctx, wire.Cut) // sarama knows no contexts
	client, err := sarama.NewClient(k.settings.Address, k.config(wire))
	if err != nil {
		return err
	}
	defer client.Close()
	if !dialling() {
		return ctx.Err()
	}
	group, err := sarama.NewConsumerGroupFromClient(k.settings.Group, client)
	if err != nil {
		return err
	}
	m := &member{source: k, client: client, hand: handover{in: in, log: k.log, name: k.name}}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for err := range group.Errors() {
			m.hear(err)
		}
	}()
	defer func() {
		late := time.AfterFunc(leaveTimeout, wire.Cut)
		defer late.Stop()
		_ = group.Close() // whether it could say goodbye does not matter: it is gone
		<-heard
	}()
	// Nothing of sarama's that waits for a broker ends with ctx: out of a session,
	// where nothing is under way, the connections end soon after it.
	defer context.AfterFunc(ctx, func() {
		last := idleTimeout
		if m.inSession.Load() {
			last = k.grace + leaveTimeout
		}
		time.AfterFunc(last, wire.Cut)
	})()
	return m.consume(ctx, group)
}

// config is sarama's view of the settings. What differs from its defaults does
// for a reason.
func (k *kafka) config(w *clients.Wire) *sarama.Config {
	config := sarama.NewConfig()
	config.ClientID = k.settings.ClientID
	config.Metadata.Full = false
	config.Metadata.AllowAutoTopicCreation = false // to read makes no topic
	config.Metadata.RefreshFrequency = k.refresh
	config.Metadata.Retry.Max, config.Metadata.Retry.Backoff = 3, 200*time.Millisecond
	config.Metadata.Timeout = 15 * time.Second

	config.Net.Proxy.Enable, config.Net.Proxy.Dialer = true, w
	config.Net.WriteTimeout = 10 * time.Second
	if tls := k.tls.Config(); tls != nil {
		config.Net.TLS.Enable, config.Net.TLS.Config = true, tls
	}
	k.settings.SASL.Login().Apply(w.Context(), config)

	c := &config.Consumer
	c.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRoundRobin(), sarama.NewBalanceStrategyRange()}
	c.Group.Rebalance.Timeout = k.grace + 15*time.Second // calls under way are waited for within it
	config.Net.ReadTimeout = c.Group.Rebalance.Timeout + 15*time.Second
	c.Group.ResetInvalidOffsets = false // a gap is told, see positions
	// Only what is safe is marked, and nothing but what is marked is committed, so
	// that when it happens is a matter of how much comes twice after a crash.
	c.Offsets.AutoCommit.Enable, c.Offsets.AutoCommit.Interval = true, 250*time.Millisecond
	c.Offsets.Initial = sarama.OffsetOldest
	c.IsolationLevel = sarama.ReadCommitted // a record of an aborted transaction is no event
	c.Return.Errors = true
	c.Fetch.Default = 1 << 20
	// With a bound on one fetch, a batch above it would be skipped (consumer.go,
	// parseResponse); the response as a whole is bounded, and what it unfolds to.
	c.Fetch.Max = 0
	c.Fetch.MaxBytes = 16 << 20
	c.MaxWaitTime = 250 * time.Millisecond
	// How long a partition whose events are not taken may hold up the others of its
	// broker, about twice over, before they go on without it.
	c.MaxProcessingTime = 250 * time.Millisecond
	config.ChannelBufferSize = min(max(k.settings.MaxInFlight, 64), 1000)
	return config
}

// Limits of the whole process, which sarama does not have for a client.
func init() {
	sarama.MaxResponseSize = 100 << 20
	sarama.MaxDecompressedBatchSize = 64 << 20
}

// isAbsent reports whether a broker's error says that a topic is not there.
func isAbsent(err error) bool {
	return errors.Is(err, sarama.ErrUnknownTopicOrPartition) || errors.Is(err, sarama.ErrInvalidTopic)
}
