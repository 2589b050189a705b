// Package tail shows what arrives at a destination, as its own reader would see
// it: a Kafka topic, an MQTT filter, or an HTTP address that it listens on. It
// is read-only: it joins no consumer group, commits no offset and keeps no
// session, so that looking changes nothing.
package tail

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"github.com/kong/keg"
)

// Options of a tail.
type Options struct {
	// Last is how many of the events that the destination keeps come first.
	Last int
	// Follow goes on with what arrives until the context ends; without it the
	// tail ends after the kept ones.
	Follow bool
	// Emit is called for one event at a time, in order of arrival.
	Emit func(Item)
	Log  *slog.Logger
}

// Item is one event as it was found.
type Item struct {
	Event *keg.Event
	// Place says where: "order-processing[2]@17", a topic, or a path.
	Place string
}

// AddressError says that an address is none to tail.
type AddressError struct{ Address, Problem string }

func (e *AddressError) Error() string { return fmt.Sprintf("%q %s", e.Address, e.Problem) }

// Run reads the destination that address names (kafka://host:port/topic,
// mqtt://host:port/filter or http://host:port) and blocks until ctx ends, which
// is no error, or until it cannot go on. An address that it cannot read is an
// [*AddressError].
func Run(ctx context.Context, address string, o Options) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return &AddressError{address, "is no address to tail: " + forms}
	}
	if u.Port() == "" && !strings.Contains(u.Host, ",") {
		return &AddressError{address, "names no port: " + forms}
	}
	place := strings.TrimPrefix(u.Path, "/")
	switch u.Scheme {
	case "kafka":
		if place == "" {
			return &AddressError{address, "names no topic: kafka://host:port/topic"}
		}
		return kafka(ctx, strings.Split(u.Host, ","), place, o)
	case "mqtt":
		if u.Fragment != "" { // "#" is MQTT's wildcard and a URL's fragment
			place += "#" + u.Fragment
		} else if strings.HasSuffix(address, "#") {
			place += "#"
		}
		if place == "" {
			return &AddressError{address, "names no filter: mqtt://host:port/filter, such as mqtt://127.0.0.1:1883/#"}
		}
		return mqtt(ctx, u.Host, place, o)
	case "http":
		return http(ctx, u.Host, o)
	}
	return &AddressError{address, "is no address to tail: " + forms}
}

const forms = "use kafka://host:port/topic, mqtt://host:port/filter or http://listen-address"
