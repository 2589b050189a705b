package sinks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/kong/keg"
)

const (
	// maxUnacknowledged bounds the messages of one connection that wait for their
	// acknowledgement, well below the 65,535 that packet identifiers allow, and
	// the 1,024 at which a broker that speaks MQTT 5 too may hang up.
	maxUnacknowledged = 1000
	// maxExactlyOnce is the same for qos 2. A broker bounds those that it has not
	// released, and MQTT 3.1.1 lets it say neither the bound nor that a message is
	// over it: Mosquitto acknowledges such a message and drops it. The bound is its
	// max_inflight_messages, 20 if nothing is said and 1 for strict order.
	maxExactlyOnce = 1
)

// quiesce is how long a connection has to say goodbye, in milliseconds.
const quiesce = 250

// grace is how long a Send of a lost connection looks for an acknowledgement that
// came before the end.
const grace = 100 * time.Millisecond

// errNotSent: the connection was lost before anything was written to it.
var errNotSent = errors.New("the connection was lost")

// errSilent: the broker holds the connection and does not do its part.
var errSilent = errors.New("the broker acknowledged nothing in time")

// mqttConnection is one connection to a broker, from CONNACK to its end, and
// never connected again: a paho client that reconnects can end a token well for
// a message that nobody got. All methods may be called by many goroutines.
type mqttConnection struct {
	client     paho.Client
	ackTimeout time.Duration
	slots      chan struct{} // one for each message of qos 0 and 1 that is not acknowledged
	exactly    chan struct{} // the same for qos 2
	turn       chan struct{} // one: whose message paho takes next

	once   sync.Once
	lost   chan struct{} // closed when the connection is of no more use
	reason error         // set before lost is closed
	made   time.Time
	ended  time.Time // set before lost is closed
}

func newMQTTConnection(ackTimeout time.Duration) *mqttConnection {
	return &mqttConnection{
		ackTimeout: ackTimeout,
		slots:      make(chan struct{}, maxUnacknowledged),
		exactly:    make(chan struct{}, maxExactlyOnce),
		turn:       make(chan struct{}, 1),
		lost:       make(chan struct{}),
		made:       time.Now(),
	}
}

// publish blocks until the message is acknowledged, ctx ends, or the connection
// is lost. A message that ctx gave up keeps its slot until the broker answers or
// ackTimeout has passed, so that a silent broker ends the connection and not the
// memory.
func (c *mqttConnection) publish(ctx context.Context, topic string, qos byte, retain bool, payload []byte) error {
	if c.isLost() {
		return errNotSent
	}
	slots := c.slots
	if qos == 2 {
		slots = c.exactly
	}
	select {
	case slots <- struct{}{}:
	case <-c.lost:
		return errNotSent
	case <-ctx.Done():
		return keg.Unreachable(fmt.Errorf("waiting behind %d messages that are not acknowledged: %w", cap(slots), ctx.Err()))
	}
	published := make(chan paho.Token, 1)
	// Whoever settles it first: carry by beginning to write, or this call by
	// giving up, after which nothing is written.
	var settled atomic.Bool
	unwritten := func() bool { return settled.CompareAndSwap(false, true) }
	go func() {
		defer func() { <-slots }()
		c.carry(ctx, topic, qos, retain, payload, unwritten, published)
	}()
	var token paho.Token
	select {
	case token = <-published:
	case <-c.lost:
		if unwritten() {
			return errNotSent
		}
		// Paho may be just back from the writing, and the acknowledgement here
		// before it; or it may be stuck until its time-out.
		select {
		case token = <-published:
		case <-time.After(grace):
			return c.lostError()
		}
	case <-ctx.Done():
		if unwritten() {
			return keg.Unreachable(fmt.Errorf("waiting to write to the broker: %w", ctx.Err()))
		}
		return fmt.Errorf("writing to the broker: %w", ctx.Err())
	}
	select {
	case <-token.Done():
	case <-c.lost:
	case <-ctx.Done():
		return fmt.Errorf("waiting for the broker's acknowledgement: %w", ctx.Err())
	}
	return c.outcome(token)
}

// carry sees a message from its writing to its acknowledgement. It has a
// goroutine of its own, for paho's Publish blocks without regard to a context;
// and it waits its turn, for that gives up a message when others are before it
// for too long. It writes where begin says that the message is still wanted.
func (c *mqttConnection) carry(ctx context.Context, topic string, qos byte, retain bool, payload []byte, begin func() bool, published chan<- paho.Token) {
	select {
	case c.turn <- struct{}{}:
	case <-c.lost:
		return
	case <-ctx.Done():
		return
	}
	if !begin() {
		<-c.turn
		return
	}
	token := c.client.Publish(topic, qos, retain, payload)
	<-c.turn
	published <- token
	timer := time.NewTimer(c.ackTimeout)
	defer timer.Stop()
	select {
	case <-token.Done():
	case <-c.lost:
	case <-timer.C:
		c.end(errSilent)
	}
}

// outcome is what became of a message that was written: its acknowledgement
// counts also where it was the last thing that the connection brought.
func (c *mqttConnection) outcome(token paho.Token) error {
	select {
	case <-token.Done():
		err := token.Error()
		if err == nil {
			return nil
		}
		// Tokens fail with their connection and for nothing else, whether paho
		// has noticed the end or not.
		c.end(err)
		if errors.Is(err, paho.ErrNotConnected) {
			return errNotSent // paho looks before it writes
		}
	default:
	}
	return c.lostError()
}

func (c *mqttConnection) lostError() error {
	return fmt.Errorf("the connection was lost before the broker acknowledged: %w", c.reason)
}

// end marks the connection as lost, once. Whoever holds it then discards it.
func (c *mqttConnection) end(reason error) {
	c.once.Do(func() {
		c.reason, c.ended = reason, time.Now()
		close(c.lost)
	})
}

func (c *mqttConnection) isLost() bool {
	select {
	case <-c.lost:
		return true
	default:
		return false
	}
}

// Close says goodbye to the broker, if it is still there, and ends the
// connection. It takes the turn for good: a Publish that does not see the end come
// would be held until paho's time-out. One that is held by the network it does not
// wait for.
func (c *mqttConnection) Close() error {
	c.end(errClosed)
	select {
	case c.turn <- struct{}{}:
	case <-time.After(quiesce * time.Millisecond):
	}
	c.client.Disconnect(quiesce)
	return nil
}
