package sources

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/kong/keg"
)

// loopback is where the HTTP source listens unless told otherwise: what anyone
// may reach is for the operator to say.
const loopback = "127.0.0.1"

// Parse reads KEG_EVENT_SOURCES: entries of the form protocol:address, separated
// by commas.
//
//	http:8080                   listen on this machine alone, port 8080
//	http:0.0.0.0:8080           listen for everybody; what a container needs
//	http://127.0.0.1:8080       the same as the first
//	kafka:9092                  the broker of the name kafka, port 9092
//	kafka:broker:9092           the broker of the name broker
//	kafka://broker:9092?topics=orders|payments&group=keg
//	mqtt:1883                   the broker of the name mqtt, port 1883
//	mqtt://broker:1883?topics=sensors/#|meters/#&group=keg
//
// Without topics they are keg.events and keg/events/#, without a group Kafka's is
// keg. The rest of a source's settings are their defaults; routes.yaml gives all.
//
// The text may be empty. Every entry that is wrong is reported, joined, with the
// form that it should have; no password that it holds is repeated.
func Parse(text string) ([]keg.SourceConfig, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var configs []keg.SourceConfig
	var errs []error
	for i, entry := range strings.Split(text, ",") {
		entry = strings.TrimSpace(entry)
		c, err := parseEntry(entry)
		if err == nil {
			err = clash(c, configs)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("entry %d, %q: %w", i+1, masked(entry), err))
			continue
		}
		configs = append(configs, c)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return configs, nil
}

const (
	httpForm  = "write http:8080, or http:0.0.0.0:8080 to be reached from elsewhere"
	kafkaForm = "write kafka:9092, kafka:host:9092 or kafka://host:9092?topics=a|b&group=g"
	mqttForm  = "write mqtt:1883, mqtt:host:1883 or mqtt://host:1883?topics=a|b&group=g"
	anyForm   = "write protocol:address, such as http:8080, kafka:9092 or mqtt:1883"
)

func parseEntry(entry string) (keg.SourceConfig, error) {
	var none keg.SourceConfig
	if entry == "" {
		return none, errors.New("is empty; " + anyForm)
	}
	protocol, rest, found := strings.Cut(entry, ":")
	if !found {
		return none, errors.New("has no protocol; " + anyForm)
	}
	switch protocol = strings.ToLower(protocol); protocol {
	case "http":
		return parseListener(rest)
	case "kafka":
		return parseKafka(rest)
	case "mqtt":
		return parseMQTT(rest)
	case "https":
		return none, errors.New("the HTTP source speaks plain HTTP, and Kong does TLS in front of it; " + httpForm)
	}
	return none, errors.New("has a protocol that KEG does not know; " + anyForm)
}

// parseListener reads what follows "http:": a port, host:port, or //host:port.
func parseListener(rest string) (keg.SourceConfig, error) {
	address, query := cutURL(rest)
	if query != "" {
		return keg.SourceConfig{}, errors.New("takes no parameters; " + httpForm)
	}
	if strings.HasPrefix(address, ":") {
		return keg.SourceConfig{}, errors.New("does not say for whom to listen; " + httpForm)
	}
	settings := &HTTPSettings{Address: address}
	settings.Address = settings.listen()
	if err := checkAddress(settings.Address, 0); err != nil {
		return keg.SourceConfig{}, fmt.Errorf("%w; %s", err, httpForm)
	}
	return config("http", settings), nil
}

func parseKafka(rest string) (keg.SourceConfig, error) {
	b, err := parseBroker("kafka", rest, kafkaForm)
	if err != nil {
		return keg.SourceConfig{}, err
	}
	settings := &KafkaSettings{
		Address: []string{b.address}, Topics: b.topics, Group: cmp.Or(b.group, defaultGroup),
		ClientID: defaultClientID, Start: "oldest", MaxInFlight: defaultMaxInFlight,
	}
	if len(b.topics) == 0 {
		settings.Topics = []string{defaultKafkaTopic}
	}
	return checked("kafka", settings, kafkaForm)
}

func parseMQTT(rest string) (keg.SourceConfig, error) {
	b, err := parseBroker("mqtt", rest, mqttForm)
	if err != nil {
		return keg.SourceConfig{}, err
	}
	settings := &MQTTSettings{Address: b.address, Topics: b.topics, Group: b.group, QoS: defaultMQTTQoS, MaxInFlight: defaultMQTTMaxInFlight}
	if len(b.topics) == 0 {
		settings.Topics = []string{defaultMQTTFilter}
	}
	return checked("mqtt", settings, mqttForm)
}

func checked(typeName string, settings keg.SourceSettings, form string) (keg.SourceConfig, error) {
	if err := settings.Validate(); err != nil {
		return keg.SourceConfig{}, fmt.Errorf("%w; %s", keg.Problems(err)[0], form)
	}
	return config(typeName, settings), nil
}

// broker is what an entry says of one.
type broker struct {
	address, group string
	topics         []string
}

// parseBroker reads what follows "kafka:" or "mqtt:". A port alone belongs to
// the host that has the protocol's name, as it has in a compose file.
func parseBroker(protocol, rest, form string) (broker, error) {
	address, query := cutURL(rest)
	if _, err := strconv.ParseUint(address, 10, 64); err == nil {
		address = net.JoinHostPort(protocol, address)
	}
	if err := checkAddress(address, 1); err != nil {
		return broker{}, fmt.Errorf("%w; %s", err, form)
	}
	b := broker{address: address}
	for parameter := range strings.SplitSeq(query, "&") {
		if parameter == "" {
			continue
		}
		name, value, _ := strings.Cut(parameter, "=")
		value, err := url.PathUnescape(value) // PathUnescape: a plus is a plus in an MQTT filter
		switch {
		case err != nil || value == "":
			return broker{}, fmt.Errorf("the parameter %s has no value that can be read; %s", name, form)
		case name == "topics":
			b.topics = strings.Split(value, "|")
		case name == "group":
			b.group = value
		default:
			return broker{}, fmt.Errorf("the parameter %s is not known; %s", name, form)
		}
	}
	return b, nil
}

// cutURL takes the slashes off the long form, and the query.
func cutURL(rest string) (address, query string) {
	if long, found := strings.CutPrefix(rest, "//"); found {
		address, query, _ = strings.Cut(long, "?")
		return strings.TrimSuffix(address, "/"), query
	}
	address, query, _ = strings.Cut(rest, "?")
	return address, query
}

func checkAddress(address string, leastPort uint64) error {
	if strings.Contains(address, "@") {
		return errors.New("must not hold a user or a password")
	}
	if strings.Contains(address, "/") {
		return errors.New("must not have a path")
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return errors.New("is no host and port")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n < leastPort {
		return errors.New("has no port between 1 and 65535")
	}
	if host == "" || strings.ContainsFunc(host, notInHost) {
		return errors.New("has no host that can be one")
	}
	return nil
}

// notInHost tells what no host name and no IP address has in it.
func notInHost(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_:%", r)
}

// masked is an entry without what may be a user and a password.
func masked(entry string) string {
	at := strings.LastIndex(entry, "@")
	if at < 0 {
		return entry
	}
	protocol, _, found := strings.Cut(entry[:at], ":")
	if !found {
		return "***" + entry[at:]
	}
	return protocol + ":***" + entry[at:]
}
