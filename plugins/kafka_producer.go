package plugins

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/hub"
)

// mostWait is the longest that a client waits for its answer: Kong gives a
// phase 60 seconds.
const mostWait = 55 * time.Second

// recordOverhead is about what a waiting record takes beside its bytes.
const recordOverhead = 512

// kafkaProducer is an instance's way to its cluster: through the hub at once, or
// by a queue in memory whose records wait there as long as the cluster is away.
type kafkaProducer struct {
	plugin    string
	port      *hub.Port
	queue     *logQueue[*keg.Event] // nil: none waits in memory
	room      *LogRoom
	limit     int64 // of records in the queue
	waiting   atomic.Int64
	gate      *kafkaGate // nil: takes what there is room for
	closeWith time.Duration
	complete  func(*keg.Event) error
}

// kafkaOptions say what a plugin wants of its producer.
type kafkaOptions struct {
	plugin string
	// queued records are published in the background.
	queued bool
	// namedTopics: events bring the topic.
	namedTopics bool
	// complete, if not nil, does in the background what a queued event still lacks.
	// One that cannot be completed is lost.
	complete func(*keg.Event) error
}

// ack is what the hub promises of a record: under producer_request_acks 0
// nothing, for nobody tells.
func (c *kafkaConfig) ack(kept bool) keg.Ack {
	switch {
	case c.Acks == 0:
		return keg.AckNone
	case kept:
		return keg.AckStored
	default:
		return keg.AckDelivered
	}
}

// openProducer opens the producer of a config, or tells every reason why it
// cannot.
func openProducer(o Options, c *kafkaConfig, k kafkaOptions) (*kafkaProducer, error) {
	table, err := c.table(k.plugin, k.namedTopics, o.Routes)
	if err != nil {
		return nil, err
	}
	timeout := min(time.Duration(c.Timeout)*time.Millisecond, mostWait)
	kept := c.Async && o.Hub.Keeps()
	port, err := o.Hub.Open(hub.PortOptions{
		Name: k.plugin, Table: table, Scope: cmp.Or(c.PluginID, scopeOf(c.routes(k.plugin, k.namedTopics))),
		Ack: c.ack(kept), Timeout: timeout, ForwardAll: true,
	})
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	p := &kafkaProducer{plugin: k.plugin, port: port, room: o.LogRoom, limit: int64(c.MessagesInMemory), closeWith: 2*timeout + time.Second, complete: k.complete}
	if k.queued {
		p.queue = newLogQueue(o.LogRoom, p.publish)
	}
	if p.queue != nil && c.HealthGating && !kept {
		p.gate = newKafkaGate(c)
	}
	return p, nil
}

// put leaves events to the background, or returns a [*keg.BusyError]. It does
// not block.
func (p *kafkaProducer) put(events ...*keg.Event) error {
	if !p.gate.admits(time.Now()) {
		return &keg.BusyError{Problem: "the Kafka cluster is away", After: p.gate.interval}
	}
	n := int64(len(events))
	if p.waiting.Add(n) > p.limit {
		p.waiting.Add(-n)
		return errFull
	}
	for i, e := range events {
		if p.queue.put(e, e.Weight()+recordOverhead) != nil { // the room is full, or the instance is closing
			p.waiting.Add(int64(i) - n)
			return errFull
		}
	}
	return nil
}

var errFull = &keg.BusyError{Problem: "too many records wait to be sent", After: time.Second}

// mostLate is how often the records that are sent together may run out of time: a
// cluster that goes away takes the time of those that were on their way, but one
// that it never answers must not hold up the others for ever.
const mostLate = 5

// publish sends records of the queue. Those that no attempt was spent on, since
// the cluster is away or the store takes nothing, wait here and others behind
// them; so do those whose time ran out before their attempts did.
func (p *kafkaProducer) publish(ctx context.Context, events []*keg.Event) {
	defer p.waiting.Add(-int64(len(events)))
	events = p.completed(events)
	for late := 0; len(events) > 0; {
		var again []*keg.Event
		after, ranOut := 100*time.Millisecond, false
		for i, r := range p.port.Publish(ctx, events...) {
			busy, isBusy := errors.AsType[*keg.BusyError](r.Err)
			away := isBusy || keg.IsUnreachable(r.Err)
			p.gate.heard(r.Err == nil, away && len(r.Deliveries) > 0, time.Now()) // without, it is the node that is busy
			switch {
			case r.Err == nil:
				continue
			case ctx.Err() != nil, !away && (late == mostLate || !errors.Is(r.Err, context.DeadlineExceeded)):
				p.lose(r.ID, r.Err)
				continue
			case isBusy:
				after = max(after, busy.After)
			case !away:
				ranOut = true
			}
			again = append(again, events[i])
		}
		if events = again; len(events) == 0 {
			return
		}
		if ranOut {
			late++
		}
		select {
		case <-time.After(after):
		case <-ctx.Done(): // the next turn gives them up
		}
	}
}

func (p *kafkaProducer) completed(events []*keg.Event) []*keg.Event {
	if p.complete == nil {
		return events
	}
	return slices.DeleteFunc(events, func(e *keg.Event) bool {
		err := p.complete(e)
		if err != nil {
			p.lose(e.ID, err)
		}
		return err != nil
	})
}

// lose counts a record that nobody will be told of otherwise, and tells of the
// first ones, then of one now and then.
func (p *kafkaProducer) lose(id string, why error) {
	count := p.room.dropped.Add(1)
	p.room.tells.Do(func() {
		p.room.log.Error("a record was lost", "plugin", p.plugin, "request", id, "error", why, "lost_so_far", count)
	})
}

// Close lets what waits be sent, and deliveries end. It does not wait for them:
// Kong's worker waits for Close in the middle of a request. The room and the hub
// do, when they close.
func (p *kafkaProducer) Close() error {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), p.closeWith)
		defer cancel()
		if p.queue != nil {
			ended := p.queue.close()
			select {
			case <-ended:
			case <-ctx.Done():
				p.queue.cut()
				<-ended
			}
		}
		if err := p.port.Close(ctx); err != nil {
			p.room.log.Warn("an instance was closed before all of its deliveries had ended", "plugin", p.plugin, "error", err)
		}
	}()
	return nil
}
