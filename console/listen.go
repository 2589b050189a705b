package console

import (
	"errors"
	"net"
	"strconv"
)

// loopback is where a listener without a host is: nobody but this machine
// reaches it.
const loopback = "127.0.0.1"

// Off is the setting that turns the listener off.
const Off = "off"

// ParseListen reads the setting of the status listener, host:port or :port, and
// returns the address to listen on: without a host, this machine alone. It is ""
// for [Off].
func ParseListen(text string) (address string, err error) {
	if text == Off {
		return "", nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", errListen
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return "", errListen
	}
	if host == "" {
		host = loopback
	}
	return net.JoinHostPort(host, port), nil
}

var errListen = errors.New("must be host:port or :port, such as 127.0.0.1:8090, or off")

// dialAddress is where a listener on address is reached from this machine.
func dialAddress(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = loopback
	}
	return net.JoinHostPort(host, port)
}
