package gateway

import (
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/kong/keg/kong/gateway/declarative"
)

// upstreams holds the connections to all upstreams. Services with the same
// time-outs share a client, and it lives on when a configuration is loaded.
type upstreams struct {
	mu      sync.Mutex
	clients map[timeouts]*http.Transport
}

// timeouts are a service's, in milliseconds.
type timeouts struct{ connect, read int }

// client returns the client for a service; nil is a target that a plugin has set.
func (u *upstreams) client(service *declarative.Service) *http.Transport {
	t := timeouts{60000, 60000}
	if service != nil {
		t = timeouts{service.ConnectTimeout, service.ReadTimeout}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	client := u.clients[t]
	if client == nil {
		client = &http.Transport{
			DialContext:           (&net.Dialer{Timeout: millis(t.connect)}).DialContext,
			TLSHandshakeTimeout:   millis(t.connect),
			ResponseHeaderTimeout: millis(t.read),
			IdleConnTimeout:       time.Minute,
			MaxIdleConnsPerHost:   32,
			DisableCompression:    true, // the client's Accept-Encoding goes on as it is
		}
		if u.clients == nil {
			u.clients = map[timeouts]*http.Transport{}
		}
		u.clients[t] = client
	}
	return client
}

func (u *upstreams) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, client := range u.clients {
		client.CloseIdleConnections()
	}
}

func millis(n int) time.Duration { return time.Duration(n) * time.Millisecond }
