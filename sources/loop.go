package sources

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
)

// Loop is a source that reads what a destination writes: an event that takes the
// one to the other comes back for ever.
type Loop struct {
	Source      keg.SourceConfig
	Destination *keg.Destination
	// Topic is what the source reads, a topic or a filter.
	Topic string
	// Certain is false where it depends on the event, whose attributes fill
	// places of the destination's topic.
	Certain bool
}

func (l *Loop) Error() string {
	verb := "is also"
	if !l.Certain {
		verb = "may also be"
	}
	return fmt.Sprintf("the topic %q of source %q %s what destination %q writes to, on the same broker: "+
		"its events would come back for ever; read or write another topic", l.Topic, l.Source.Name, verb, l.Destination.Name)
}

// LoopProblem returns the circle that c and d make, or nil. Brokers are the same
// where an address of theirs is; one cluster under two names is not seen, and
// what leads over other systems is not either: for these, events count their hops.
func LoopProblem(c keg.SourceConfig, d *keg.Destination) *Loop {
	to, ok := d.Settings.(keg.TopicAddress)
	if !ok || c.Type != d.Type {
		return nil
	}
	brokers, topics, meets := circle(c.Settings)
	if !slices.ContainsFunc(to.Brokers(), func(b string) bool { return slices.Contains(brokers, normalised(b)) }) {
		return nil
	}
	pattern := to.TopicPattern()
	for _, topic := range topics {
		if meets(topic, pattern) {
			return &Loop{Source: c, Destination: d, Topic: topic, Certain: !place.MatchString(pattern)}
		}
	}
	return nil
}

// circle is what a source reads of where, and what of it a pattern may be.
func circle(settings keg.SourceSettings) (brokers, topics []string, meets func(topic, pattern string) bool) {
	switch s := settings.(type) {
	case *KafkaSettings:
		for _, address := range s.Address {
			brokers = append(brokers, normalised(address))
		}
		return brokers, s.Topics, func(topic, pattern string) bool {
			return globMeets(place.ReplaceAllLiteralString(pattern, "+"), topic, "+")
		}
	case *MQTTSettings:
		u, err := clients.MQTTBroker(s.Address, s.TLS != nil)
		if err != nil {
			return nil, nil, nil
		}
		return []string{normalised(u.Host)}, s.Topics, func(filter, pattern string) bool {
			if whole := place.FindString(pattern); whole != "" && whole == pattern {
				return filtersMeet(filter, "#") // the event chooses levels, too
			}
			return filtersMeet(filter, place.ReplaceAllLiteralString(pattern, "+"))
		}
	}
	return nil, nil, nil
}

// place is what an event fills in a destination's topic.
var place = regexp.MustCompile(`\{[a-z0-9]+\}`)

// normalised is an address in one spelling.
func normalised(address string) string {
	host, port, err := net.SplitHostPort(strings.ToLower(address))
	if err != nil {
		return address
	}
	host = strings.TrimSuffix(host, ".")
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		host = loopback
	}
	return net.JoinHostPort(host, port)
}
