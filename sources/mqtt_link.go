package sources

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/kong/keg/clients"
)

// link is one connection to the broker, from CONNACK to its end, and never
// connected again: paho's own reconnection would acknowledge on a connection that
// the message did not come by.
type link struct {
	client  paho.Client
	resumed bool // the broker had kept the session
	made    time.Time

	once   sync.Once
	lost   chan struct{} // closed when the connection is of no more use
	reason error         // set before lost is closed
}

// quiesce is how long a link has to say goodbye, in milliseconds.
const quiesce = 250

var errStopped = errors.New("the source stops")

func (l *link) end(reason error) {
	l.once.Do(func() {
		l.reason = reason
		close(l.lost)
	})
}

func (l *link) isLost() bool {
	select {
	case <-l.lost:
		return true
	default:
		return false
	}
}

// close says goodbye to the broker, if it is still there. What was acknowledged
// before is written before it.
func (l *link) close() {
	l.client.Disconnect(quiesce)
	l.end(errStopped)
}

// connect makes one link, and subscribes where the broker has not kept the
// subscriptions. The first link of a process subscribes in any case: the settings
// may have changed.
func (m *mqtt) connect(ctx context.Context, s *mqttSession, first bool) (*link, error) {
	dialling, cancel := context.WithTimeout(ctx, m.times.connect)
	defer cancel()
	l := &link{lost: make(chan struct{})}
	o := paho.NewClientOptions()
	o.Servers = []*url.URL{m.broker}
	o.SetClientID(m.clientID).SetUsername(m.settings.Username).SetPassword(m.settings.Password.Reveal())
	o.SetProtocolVersion(4).SetCleanSession(false).SetAutoReconnect(false).SetConnectRetry(false).SetResumeSubs(false)
	o.SetConnectTimeout(2 * m.times.connect).SetWriteTimeout(m.times.write) // ctx ends first, and says so better
	o.SetKeepAlive(m.times.keepAlive).SetPingTimeout(m.times.ping)
	o.SetOrderMatters(true).SetAutoAckDisabled(true)
	o.SetConnectionLostHandler(func(_ paho.Client, err error) { l.end(err) })
	ready := make(chan struct{}) // a session that is resumed sends before paho tells that it was
	o.SetDefaultPublishHandler(func(_ paho.Client, message paho.Message) {
		select {
		case <-ready:
		case <-l.lost:
			return
		}
		if ctx.Err() == nil { // else it stays with the broker
			s.take(l, message)
		}
	})
	var network error
	abandon := func() bool { return false }
	o.SetCustomOpenConnectionFn(func(broker *url.URL, _ paho.ClientOptions) (net.Conn, error) {
		var conn net.Conn
		if conn, network = clients.DialMQTT(dialling, broker, m.tls.Config()); network != nil {
			return nil, network
		}
		abandon = context.AfterFunc(dialling, func() { _ = conn.Close() })
		return newLinkConn(conn, l, m.times.write, m.maxBytes), nil
	})
	l.client = paho.NewClient(o)
	token := l.client.Connect().(*paho.ConnectToken)
	<-token.Done()
	if err := m.refused(dialling, token, network, abandon); err != nil {
		l.end(err)
		l.client.Disconnect(0)
		return nil, err
	}
	l.made, l.resumed = time.Now(), token.SessionPresent()
	s.began(l.resumed)
	close(ready)
	if first || !l.resumed {
		if err := m.subscribe(ctx, l); err != nil {
			l.end(err)
			l.close()
			return nil, err
		}
	}
	return l, nil
}

// refused says why there is no connection, if there is none.
func (m *mqtt) refused(dialling context.Context, token *paho.ConnectToken, network error, abandon func() bool) error {
	switch code := token.ReturnCode(); {
	case network != nil:
		return network
	case !abandon():
		if errors.Is(dialling.Err(), context.DeadlineExceeded) {
			return fmt.Errorf("the broker did not answer CONNECT within %v", m.times.connect)
		}
		return fmt.Errorf("connecting to the broker: %w", dialling.Err())
	case token.Error() == nil:
		return nil
	case code == packets.ErrNetworkError:
		return fmt.Errorf("the broker did not answer CONNECT: %w", token.Error())
	}
	return fmt.Errorf("the broker refused the connection: %w", token.Error())
}

// subscribe asks for every filter, and blocks until the broker has granted them.
func (m *mqtt) subscribe(ctx context.Context, l *link) error {
	filters := make(map[string]byte, len(m.settings.Topics))
	for _, filter := range m.settings.Topics {
		filters[m.shared(filter)] = byte(m.settings.QoS)
	}
	token := l.client.SubscribeMultiple(filters, nil).(*paho.SubscribeToken)
	late := time.NewTimer(m.times.connect)
	defer late.Stop()
	select {
	case <-token.Done():
	case <-l.lost:
		return l.reason
	case <-ctx.Done():
		return ctx.Err()
	case <-late.C:
		return fmt.Errorf("the broker did not answer SUBSCRIBE within %v", m.times.connect)
	}
	if err := token.Error(); err != nil && len(token.Result()) == 0 {
		return fmt.Errorf("subscribing: %w", err)
	}
	for filter, granted := range token.Result() {
		switch {
		case granted > 2:
			return fmt.Errorf("the broker refused the subscription to %q; it may allow this client none, or no $share", filter)
		case int(granted) < m.settings.QoS:
			m.log.Warn("the broker grants less than was asked for", "source", m.name, "filter", filter, "qos", m.settings.QoS, "granted", granted)
		}
	}
	return nil
}

// shared is a filter as the broker is asked for it.
func (m *mqtt) shared(filter string) string {
	if m.settings.Group == "" {
		return filter
	}
	return "$share/" + m.settings.Group + "/" + filter
}

// linkConn tells its link as soon as it ends, which a handler of paho's that
// waits needs to know. It bounds what is read at once, and how long a write may
// take, which paho does not.
type linkConn struct {
	net.Conn
	read  *frames
	link  *link
	write time.Duration
}

func newLinkConn(c net.Conn, l *link, write time.Duration, maxPayload int) *linkConn {
	return &linkConn{Conn: c, read: newFrames(c, maxPayload), link: l, write: write}
}

func (c *linkConn) Read(b []byte) (int, error) {
	n, err := c.read.Read(b)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		c.link.end(fmt.Errorf("the connection was lost: %w", err))
	}
	return n, err
}

func (c *linkConn) Write(b []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(c.write))
	return c.Conn.Write(b)
}

func (c *linkConn) Close() error {
	err := c.Conn.Close()
	c.link.end(errClosed)
	return err
}

var errClosed = errors.New("the connection was lost")
