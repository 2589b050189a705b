package sources

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

// member is a source as a member of its group, over one client.
type member struct {
	source    *kafka
	client    sarama.Client
	hand      handover
	inSession atomic.Bool
}

// consume goes from session to session, each of which a rebalance ends, until
// ctx ends or the client is of no more use.
func (m *member) consume(ctx context.Context, group sarama.ConsumerGroup) error {
	k := m.source
	short := backoff{first: 50 * time.Millisecond, most: 2 * time.Second}
	for ctx.Err() == nil {
		there, absent, err := m.topics()
		if err != nil {
			return err
		}
		if len(absent) > 0 {
			k.absent.tell("a topic is not there; the source waits for it", errAbsent, "source", k.name, "topics", strings.Join(absent, ", "))
		} else {
			k.absent.over("every topic is there", "source", k.name)
		}
		if len(there) == 0 {
			k.trouble.over("the Kafka source reaches its cluster", "source", k.name)
			select {
			case <-ctx.Done():
			case <-time.After(topicPoll):
			}
			continue
		}
		began := time.Now()
		if err := m.session(ctx, group, there, absent); err != nil {
			return err
		}
		if time.Since(began) > shortSession {
			short.reset()
		} else if !short.wait(ctx, 0) {
			break
		}
	}
	return ctx.Err()
}

var errAbsent = errors.New("the broker knows no such topic")

// topicPoll is how often an absent topic is looked for.
const topicPoll = 2 * time.Second

// session reads the topics that are there until a rebalance, ctx's end, or the
// coming of one that was absent.
func (m *member) session(ctx context.Context, group sarama.ConsumerGroup, there, absent []string) error {
	ctx, end := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer func() { end(); beside.Wait() }()
	if len(absent) > 0 {
		beside.Go(func() { m.watch(ctx, absent, end) })
	}
	beside.Go(func() { m.calm(ctx, there) })
	err := group.Consume(ctx, there, m)
	m.inSession.Store(false)
	if ctx.Err() != nil || isAbsent(err) { // a topic went away: look again
		return nil
	}
	return err
}

// calm tells that a trouble is over when the cluster answers and nothing has
// failed for a while: where no records come, nobody else would.
func (m *member) calm(ctx context.Context, topics []string) {
	every := time.NewTicker(topicPoll)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		k := m.source
		if !k.Status().Up && m.client.RefreshMetadata(topics...) == nil {
			k.trouble.quiet(5*complainLeast, "the Kafka source reaches its cluster again", "source", k.name)
		}
	}
}

// watch calls appeared when one of the topics is there.
func (m *member) watch(ctx context.Context, topics []string, appeared func()) {
	every := time.NewTicker(topicPoll)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		for _, topic := range topics {
			if m.client.RefreshMetadata(topic) == nil {
				appeared()
				return
			}
		}
	}
}

// topics tells the topics that are there from those that are not.
func (m *member) topics() (there, absent []string, err error) {
	for _, topic := range m.source.settings.Topics {
		err := m.client.RefreshMetadata(topic)
		if err == nil {
			var partitions []int32
			if partitions, err = m.client.Partitions(topic); err == nil {
				m.source.at.see(topic, len(partitions))
				there = append(there, topic)
				continue
			}
		}
		if !isAbsent(err) {
			return nil, nil, fmt.Errorf("topic %s: %w", topic, err)
		}
		m.source.at.see(topic, 0)
		absent = append(absent, topic)
	}
	return there, absent, nil
}

// hear takes what sarama tells beside its work. It goes on by itself after all
// but an offset that is not there, which ends the session.
func (m *member) hear(err error) {
	var of *sarama.ConsumerError
	if errors.As(err, &of) && errors.Is(err, sarama.ErrOffsetOutOfRange) {
		m.source.at.outOfRange(of.Topic, of.Partition)
		return
	}
	m.source.trouble.tell("reading from Kafka failed; the source tries again", err, "source", m.source.name)
}
