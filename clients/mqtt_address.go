package clients

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// brokerSchemes are how an address may say a transport, what KEG calls it, and
// the port that goes without saying.
var brokerSchemes = map[string]struct{ scheme, port string }{
	"tcp": {"tcp", "1883"}, "mqtt": {"tcp", "1883"},
	"ssl": {"ssl", "8883"}, "tls": {"ssl", "8883"}, "mqtts": {"ssl", "8883"},
	"ws": {"ws", "80"}, "wss": {"wss", "443"},
}

// MQTTBroker reads an address into a URL of scheme tcp, ssl, ws or wss with a
// port; secured says what an address without a scheme means. Its error does not repeat the address, which may hold a secret.
func MQTTBroker(address string, secured bool) (*url.URL, error) {
	if address == "" {
		return nil, errors.New("is required: host:port, or a URL that begins with tcp, ssl, ws or wss")
	}
	if !strings.Contains(address, "://") {
		scheme := "tcp://"
		if secured {
			scheme = "ssl://"
		}
		address = scheme + address
	}
	u, err := url.Parse(address)
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err
		}
		return nil, fmt.Errorf("is no broker's address: %w", err)
	}
	known, ok := brokerSchemes[u.Scheme]
	switch {
	case !ok:
		return nil, errors.New("must begin with tcp, ssl, ws or wss, or be host:port")
	case u.Hostname() == "":
		return nil, errors.New("has no host")
	case strings.Contains(u.Host, ","):
		return nil, errors.New("must be one broker, not a list")
	case u.User != nil:
		return nil, errors.New("must not hold credentials, which logs would show: use username and password")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("must end with its path: no query, no fragment")
	case known.scheme != "ws" && known.scheme != "wss" && strings.Trim(u.Path, "/") != "":
		return nil, errors.New("must not have a path: the topic goes into topic")
	}
	port := u.Port()
	if port == "" {
		port = known.port
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, errors.New("has a port that is not between 1 and 65535")
	}
	broker := &url.URL{Scheme: known.scheme, Host: net.JoinHostPort(strings.ToLower(u.Hostname()), port)}
	if known.scheme == "ws" || known.scheme == "wss" {
		broker.Path, broker.RawPath = u.Path, u.RawPath
	}
	return broker, nil
}

// MQTTTextProblem says why text is no string of MQTT (3.1.1, section 1.5.3), or
// "". It does not repeat it.
func MQTTTextProblem(text string) string {
	switch {
	case len(text) > 65535:
		return "is longer than 65,535 bytes"
	case !utf8.ValidString(text):
		return "is not UTF-8"
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r >= 0x7F && r <= 0x9F }):
		return "must not have control characters"
	}
	return ""
}
