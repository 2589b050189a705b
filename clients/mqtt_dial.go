package clients

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// DialMQTT makes the network connection, TLS and WebSocket handshakes
// included. It takes no proxy from the environment.
func DialMQTT(ctx context.Context, broker *url.URL, secured *tls.Config) (net.Conn, error) {
	switch broker.Scheme {
	case "tcp":
		return new(net.Dialer).DialContext(ctx, "tcp", broker.Host)
	case "ssl":
		return (&tls.Dialer{Config: secured}).DialContext(ctx, "tcp", broker.Host)
	case "ws", "wss":
		return dialWebSocket(ctx, broker, secured)
	}
	return nil, errors.New("unknown scheme")
}

func dialWebSocket(ctx context.Context, broker *url.URL, secured *tls.Config) (net.Conn, error) {
	type dialled struct {
		conn net.Conn
		err  error
	}
	done := make(chan dialled, 1)
	deadline, _ := ctx.Deadline()
	go func() {
		direct := func(*http.Request) (*url.URL, error) { return nil, nil }
		conn, err := paho.NewWebsocket(broker.String(), secured, time.Until(deadline), nil, &paho.WebsocketOptions{Proxy: direct})
		done <- dialled{conn, err}
	}()
	select {
	case d := <-done:
		return d.conn, d.err
	case <-ctx.Done():
		go func() {
			if d := <-done; d.err == nil {
				_ = d.conn.Close()
			}
		}()
		return nil, ctx.Err()
	}
}
