package gateway

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// ParseListen reads Kong's listen syntax, as in KONG_PROXY_LISTEN:
//
//	127.0.0.1:8000, [::1]:8000 reuseport backlog=16384
//
// It returns the addresses in order, none for "off". Flags that tune sockets are
// accepted and change nothing; those that ask for what the stand-in does not
// have (ssl, http2, proxy_protocol) are errors, all reported at once.
func ParseListen(text string) ([]string, error) {
	if text = strings.TrimSpace(text); text == "off" {
		return nil, nil
	}
	var addrs []string
	var errs []error
	for _, entry := range strings.Split(text, ",") {
		words := strings.Fields(entry)
		if len(words) == 0 {
			errs = append(errs, fmt.Errorf("listen %q: an address is missing; write ADDRESS:PORT, several of them after commas, or off", text))
			continue
		}
		if err := checkAddress(words[0]); err != nil {
			errs = append(errs, fmt.Errorf("listen %q: %w", words[0], err))
			continue
		}
		for _, flag := range words[1:] {
			if err := checkFlag(flag); err != nil {
				errs = append(errs, fmt.Errorf("listen %q: %w", strings.Join(words, " "), err))
			}
		}
		addrs = append(addrs, words[0])
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return addrs, nil
}

func checkAddress(addr string) error {
	if strings.HasPrefix(addr, "unix:") {
		return errors.New("the stand-in listens on TCP only; Kong itself has unix: listeners")
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return errors.New("write ADDRESS:PORT, such as 127.0.0.1:8000 or [::1]:8000")
	}
	if host == "" {
		return errors.New("the address is missing; 0.0.0.0 is every interface")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%q is no port", port)
	}
	return nil
}

func checkFlag(flag string) error {
	name, _, _ := strings.Cut(flag, "=")
	switch name {
	case "reuseport", "deferred", "bind", "backlog", "ipv6only", "so_keepalive":
		return nil
	case "ssl", "http2", "proxy_protocol":
		return fmt.Errorf("the stand-in has no %s; Kong itself has it", name)
	default:
		return fmt.Errorf("%q is no flag of a listener", flag)
	}
}
