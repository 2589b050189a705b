package sinks

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"net"
	"net/url"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
)

// mqttKey is what tells two connections to a broker apart.
type mqttKey struct {
	broker   string // as clients.MQTTBroker writes it
	clientID string
	username string
	password keg.Secret
	tls      credentials
}

// mqttTimes are the waits of a connection; tests have shorter ones.
type mqttTimes struct {
	connect    time.Duration // from the first packet to CONNACK
	ack        time.Duration // from a message to its acknowledgement
	write      time.Duration // of one packet, to a peer that does not read
	keepAlive  time.Duration
	ping       time.Duration // from PINGREQ to PINGRESP
	firstPause time.Duration // before a connection that follows a failure; it doubles
	maxPause   time.Duration
	steady     time.Duration // a connection that lived shorter counts as a failure
}

var defaultMQTTTimes = mqttTimes{
	connect: 10 * time.Second, ack: 30 * time.Second, write: 5 * time.Second,
	keepAlive: 30 * time.Second, ping: 10 * time.Second,
	firstPause: 100 * time.Millisecond, maxPause: 2 * time.Second, steady: 5 * time.Second,
}

// mqttDialer makes one connection after the other, and not faster than a broker
// in trouble can bear. The pool calls it for one Send at a time; the others wait
// for the same connection.
type mqttDialer struct {
	key      mqttKey
	clientID string
	times    mqttTimes
	failures int // in a row
	last     *mqttConnection
}

func newMQTTDialer(key mqttKey, times mqttTimes) *mqttDialer {
	d := &mqttDialer{key: key, clientID: key.clientID, times: times}
	if d.clientID == "" {
		var random [8]byte
		_, _ = rand.Read(random[:])
		d.clientID = "keg-" + hex.EncodeToString(random[:])
	}
	return d
}

// dial waits as long as the failures before it ask for, then connects once.
func (d *mqttDialer) dial(ctx context.Context) (*mqttConnection, error) {
	if d.last != nil {
		if d.last.ended.Sub(d.last.made) < d.times.steady {
			d.failures++ // a broker that lets in and throws out, or two that share a client_id
		} else {
			d.failures = 0
		}
		d.last = nil
	}
	if d.failures > 0 {
		pause := time.NewTimer(d.pause())
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	c, err := d.connect(ctx)
	if err != nil {
		d.failures++
		return nil, err
	}
	d.last = c
	return c, nil
}

func (d *mqttDialer) pause() time.Duration {
	longest := float64(d.times.firstPause) * math.Pow(2, float64(d.failures-1))
	longest = min(longest, float64(d.times.maxPause))
	return time.Duration(longest/2 + mathrand.Float64()*longest/2)
}

func (d *mqttDialer) connect(ctx context.Context) (*mqttConnection, error) {
	ctx, cancel := context.WithTimeout(ctx, d.times.connect)
	defer cancel()
	broker, err := url.Parse(d.key.broker)
	if err != nil {
		return nil, err
	}
	c := newMQTTConnection(d.times.ack)
	o := paho.NewClientOptions()
	o.Servers = []*url.URL{broker}
	o.SetClientID(d.clientID).SetUsername(d.key.username).SetPassword(d.key.password.Reveal())
	o.SetProtocolVersion(4).SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false)
	o.SetConnectTimeout(2 * d.times.connect).SetWriteTimeout(d.times.write) // ctx ends first, and says so better
	o.SetKeepAlive(d.times.keepAlive).SetPingTimeout(d.times.ping).SetOrderMatters(false)
	o.SetConnectionLostHandler(func(_ paho.Client, err error) { c.end(err) })

	// Paho knows no context: the network connection is made here, and closing it
	// is what ends a handshake that takes too long.
	var network error
	abandon := func() bool { return false }
	o.SetCustomOpenConnectionFn(func(broker *url.URL, _ paho.ClientOptions) (net.Conn, error) {
		var conn net.Conn
		if conn, network = clients.DialMQTT(ctx, broker, d.key.tls.Config()); network != nil {
			return nil, network
		}
		abandon = context.AfterFunc(ctx, func() { _ = conn.Close() })
		return conn, nil
	})
	c.client = paho.NewClient(o)
	token := c.client.Connect().(*paho.ConnectToken)
	<-token.Done()
	switch code := token.ReturnCode(); {
	case network != nil:
		return nil, network
	case !abandon():
		c.client.Disconnect(0)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, fmt.Errorf("the broker did not answer CONNECT within %v", d.times.connect)
		}
		return nil, fmt.Errorf("connecting to the broker: %w", ctx.Err())
	case token.Error() == nil:
		return c, nil
	case code == packets.ErrNetworkError:
		return nil, fmt.Errorf("the broker did not answer CONNECT: %w", token.Error())
	default:
		return nil, fmt.Errorf("the broker refused the connection: %w", token.Error())
	}
}
