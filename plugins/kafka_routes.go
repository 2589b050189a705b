package plugins

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/kong/keg"
	"github.com/kong/keg/router"
)

// Attributes by which a record's event tells the destination its topic and key.
// They are no part of the record, whose format is raw.
const (
	topicAttribute = "kafkatopic"
	keyAttribute   = "kafkakey"
)

// The bounds of a destination's settings, which the fields of Enterprise do not
// have.
const (
	leastRecordBytes, mostRecordBytes = 1 << 10, 94371840
	mostAttempts                      = 1000
)

func (s kafkaServer) address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// recordBytes is the largest record.
func (c *kafkaConfig) recordBytes() int {
	return min(max(c.BytesInOne, leastRecordBytes), mostRecordBytes)
}

// routes are a route table of one route, named after the plugin, that takes
// everything to the config's cluster. The topic is the config's, or that which
// the event names.
func (c *kafkaConfig) routes(plugin string, namedTopics bool) json.RawMessage {
	addresses := make([]string, len(c.BootstrapServers))
	for i, s := range c.BootstrapServers {
		addresses[i] = literal(s.address())
	}
	topic := c.Topic
	if namedTopics {
		topic = "{" + topicAttribute + "}"
	}
	key := ""
	if c.KeyQueryArg != "" {
		key = "{" + keyAttribute + "}"
	}
	destination := map[string]any{
		"type": "kafka", "address": addresses, "topic": topic, "key": key, "format": keg.FormatRaw,
		"timeout": milliseconds(min(c.Timeout, int(mostWait.Milliseconds()))),
		"retry": map[string]any{
			"max_attempts": min(max(c.MaxAttempts, 1), mostAttempts),
			"backoff":      milliseconds(max(c.RetryBackoff, 1)), "max_backoff": milliseconds(max(c.RetryBackoff, 1)),
		},
		"acks":        map[int]string{-1: "all", 0: "none", 1: "leader"}[c.Acks],
		"compression": c.Compression, "max_message_bytes": c.recordBytes(),
		"ack_timeout": milliseconds(min(c.RequestTimeout, 60_000)), "max_batch_records": c.MessagesInOne,
	}
	if s := c.Security; s.SSL {
		destination["tls"] = unset(map[string]any{
			"ca": literal(s.CA), "cert": literal(s.Certificate), "key": literal(s.Key.Reveal()), "insecure_skip_verify": !s.SSLVerify,
		})
	}
	if a := c.Authentication; a.Strategy != "" {
		o := a.OAuthBearer
		destination["sasl"] = unset(map[string]any{
			"mechanism": a.Mechanism, "username": literal(a.User), "password": literal(a.Password.Reveal()),
			"token_url": literal(o.TokenURL), "client_id": literal(o.ClientID), "client_secret": literal(o.ClientSecret.Reveal()),
			"scopes": o.Scopes, "extensions": literals(o.Extensions),
		})
	}
	text, err := json.Marshal([]any{map[string]any{"name": plugin, "match": map[string]any{}, "destinations": []any{destination}}})
	if err != nil { // maps of strings and numbers
		panic(err)
	}
	return text
}

// table compiles the config's routes. Its errors name the config's fields.
func (c *kafkaConfig) table(plugin string, namedTopics bool, o router.Options) (*router.Table, error) {
	table, err := router.ParseRoutes("config", c.routes(plugin, namedTopics), o)
	var problems router.Errors
	if !errors.As(err, &problems) {
		return table, err
	}
	var errs []error
	for _, p := range problems {
		errs = append(errs, fmt.Errorf("config.%s: %s", kafkaField(p.Path), p.Problem))
	}
	return nil, errors.Join(errs...)
}

// kafkaField is the field that a setting of the destination came from.
func kafkaField(path string) string {
	_, setting, _ := strings.Cut(path, ".destinations[0].")
	for _, names := range [][2]string{
		{"address", "bootstrap_servers"}, {"tls.cert", "security.certificate"}, {"tls.", "security."},
		{"sasl.username", "authentication.user"}, {"sasl.token_url", "authentication.oauthbearer.token_endpoint_url"},
		{"sasl.client_", "authentication.oauthbearer.client_"}, {"sasl.scopes", "authentication.oauthbearer.scopes"},
		{"sasl.extensions", "authentication.oauthbearer.extensions"}, {"sasl.", "authentication."},
	} {
		if rest, ok := strings.CutPrefix(setting, names[0]); ok {
			return names[1] + rest
		}
	}
	return setting
}

func milliseconds(n int) string { return strconv.Itoa(n) + "ms" }

// literal keeps a value from being read as one that names a variable of the
// environment: Kong has resolved what it refers to.
func literal(text string) string { return strings.ReplaceAll(text, "${", "$${") }

func literals(texts map[string]string) map[string]string {
	all := make(map[string]string, len(texts))
	for name, text := range texts {
		all[name] = literal(text)
	}
	return all
}

// unset leaves out what is empty.
func unset(settings map[string]any) map[string]any {
	for name, value := range settings {
		switch v := value.(type) {
		case string:
			if v == "" {
				delete(settings, name)
			}
		case []string:
			if len(v) == 0 {
				delete(settings, name)
			}
		case map[string]string:
			if len(v) == 0 {
				delete(settings, name)
			}
		}
	}
	return settings
}
