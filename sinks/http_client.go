package sinks

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/kong/keg/clients"
)

const (
	dialTimeout = 10 * time.Second
	// maxConnections bounds the connections to one host. Sends beyond it wait
	// their turn; net/http's own default would keep two of them open between
	// requests and dial anew for all others.
	maxConnections   = 256
	idleTimeout      = 60 * time.Second // below what servers and balancers commonly wait
	maxAnswerHeaders = 64 << 10         // bytes
)

// httpKey is what tells two HTTP clients apart: all requests of equal keys may
// share connections.
type httpKey struct {
	origin       string // scheme://host:port
	tls          credentials
	allowPrivate bool
}

// httpClient is the connections to one origin.
type httpClient struct{ transport *http.Transport }

// Close closes the idle connections; those in use close when their request ends.
func (c *httpClient) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// newHTTPClient does not dial. Requests go through the transport itself, never
// an [http.Client], which would follow redirects and put the URL, query and
// all, into its errors. No proxy is taken from the environment: it would be the
// one whose address the guard sees.
func newHTTPClient(key httpKey) *httpClient {
	guarded := &net.Dialer{
		Timeout: dialTimeout,
		Control: clients.AddressGuard(key.allowPrivate),
	}
	return &httpClient{&http.Transport{
		DialContext:            guarded.DialContext,
		TLSClientConfig:        key.tls.Config(),
		TLSHandshakeTimeout:    dialTimeout,
		ForceAttemptHTTP2:      true,
		MaxConnsPerHost:        maxConnections,
		MaxIdleConnsPerHost:    maxConnections,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxAnswerHeaders,
		DisableCompression:     true, // nobody reads the body
		// A half-open HTTP/2 connection would swallow requests for as long as
		// TCP retransmits, a quarter of an hour.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
	}}
}

func dialHTTP(key httpKey) func(context.Context) (*httpClient, error) {
	return func(context.Context) (*httpClient, error) { return newHTTPClient(key), nil }
}

// origin is what an address connects to, written one way.
func origin(scheme, host, port string) string {
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return scheme + "://" + net.JoinHostPort(strings.ToLower(host), port)
}
