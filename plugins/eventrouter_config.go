package plugins

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/kong/keg"
	"github.com/kong/keg/router"
)

// eventRouterConfig is one instance's config, as Kong keeps it.
type eventRouterConfig struct {
	Routes         json.RawMessage       `kong:"routes" doc:"The routes of this plugin, as in routes.yaml. Without them it follows the route file of the node."`
	Ack            string                `kong:"ack" one_of:"delivered,stored,none" doc:"What a good answer promises. delivered: every destination has the event. stored: it is kept and will be delivered. none: it is on its way. The node's default where unset."`
	Timeout        int                   `kong:"timeout" default:"10000" between:"1,55000" doc:"How long all attempts to deliver the events of one request may take, in milliseconds."`
	OnSuccess      string                `kong:"on_success" default:"respond" one_of:"respond,continue" doc:"Whether the plugin answers a request whose events are safe, or lets it go on to the upstream or to the next plugin. Failures are always answered."`
	EventType      string                `kong:"event_type" match:"^[^%c]+$" doc:"The type of events that are made of plain requests which name none themselves."`
	EventSource    string                `kong:"event_source" match:"^[^%c]+$" doc:"The source of events that are made of plain requests which name none themselves, a URI reference. The address of the request where unset."`
	Secrets        map[string]keg.Secret `kong:"secrets,referenceable,encrypted" doc:"Secrets by the names that ${NAME} in routes finds them by, before the environment. Kong looks for vault references here, and not within routes."`
	Verify         *verifyConfig         `kong:"verify" doc:"Takes webhooks of one provider, and no other request."`
	Handshake      *handshakeConfig      `kong:"handshake" doc:"Answers the handshake of CloudEvents webhooks: OPTIONS with WebHook-Request-Origin."`
	Attributes     []string              `kong:"attributes,set" one_of:"consumer,route,service,client_ip" doc:"What Kong knows of a request and its events get as extensions: kongconsumer, kongroute, kongservice, kongclientip. What a sender claims under these names is always taken away."`
	ForwardHeaders []string              `kong:"forward_headers" doc:"The names of the request's headers that travel on with its events. No other one does."`
	Dedupe         int                   `kong:"dedupe" between:"1,2592000" doc:"For how many seconds an event with the source and id of an earlier one is taken for a repeat, and not stored again. Needs ack stored."`
	MaxEventBytes  int64                 `kong:"max_event_bytes" between:"1024,67108864" doc:"The largest body, and the largest event, in bytes. The limit of the node where unset."`

	// PluginID is Kong's id of the plugin, the same in every worker and after a
	// restart: what is stored for its own routes is known by it.
	PluginID string `kong:"__plugin_id,unlisted"`

	types []keg.DestinationType
}

// JSONSchemas tells Kong's Admin API what routes may look like.
func (c *eventRouterConfig) JSONSchemas() map[string]any {
	return map[string]any{"routes": router.JSONSchema(c.types)}
}

// ownRoutes compiles the routes of a config; nil where it has none.
func ownRoutes(text json.RawMessage, o router.Options) (*router.Table, error) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || string(text) == "null" {
		return nil, nil
	}
	table, err := router.ParseRoutes("config", text, o)
	if err == nil {
		return table, nil
	}
	var problems router.Errors
	if !errors.As(err, &problems) {
		return nil, fmt.Errorf("config.routes: %w", err)
	}
	// Kong keeps the config as one line of JSON, in which line and column tell
	// nobody anything; the path does.
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = configPath(p.Path) + ": " + p.Problem
	}
	return nil, errors.New(strings.Join(lines, "\n"))
}

// requestProblems reports what is wrong with the settings that no part of KEG
// but the plugin itself knows.
func (c *eventRouterConfig) requestProblems() error {
	problems := []error{c.eventProblems(), secretProblems(c.Secrets)}
	if c.Handshake != nil {
		if problem := c.Handshake.problem(); problem != "" {
			problems = append(problems, errors.New("config.handshake.allowed_origins: "+problem))
		}
	}
	return errors.Join(problems...)
}

// eventProblems reports a type or a source that no event can have: every plain
// request would fail by it.
func (c *eventRouterConfig) eventProblems() error {
	e := keg.Event{ID: "any", Type: cmp.Or(c.EventType, "any"), Source: cmp.Or(c.EventSource, "any")}
	var problems []error
	for _, err := range keg.Problems(e.Validate()) {
		if invalid, ok := errors.AsType[*keg.InvalidError](err); ok {
			problems = append(problems, fmt.Errorf("config.event_%s: %s", invalid.Attribute, invalid.Problem))
		}
	}
	return errors.Join(problems...)
}

// below puts each of the errors that err joins below a path.
func below(path string, err error) error {
	errs := keg.Problems(err)
	for i := range errs {
		errs[i] = fmt.Errorf("%s%w", path, errs[i])
	}
	return errors.Join(errs...)
}

// configPath is the path of a key of the routes within the config.
func configPath(path string) string {
	switch {
	case path == "" || strings.HasPrefix(path, "["):
		return "config.routes" + path
	default:
		return "config." + path
	}
}
