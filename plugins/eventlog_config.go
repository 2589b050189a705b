package plugins

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/kong/keg"
	"github.com/kong/keg/router"
)

// logType is the type of events that tell of a request's end.
const logType = "kong.request.completed"

// eventLogConfig is one instance's config, as Kong keeps it.
type eventLogConfig struct {
	Routes            json.RawMessage       `kong:"routes" doc:"The routes of this plugin, as in routes.yaml. Without them it follows the route file of the node."`
	Ack               string                `kong:"ack" one_of:"stored,none" doc:"What becomes of an entry that cannot be delivered at once. stored: it is kept until it can be. none: it is tried within timeout, and then lost. By default stored where the node keeps events, else none. Kong's log phase waits for neither."`
	Timeout           int                   `kong:"timeout" default:"10000" between:"1,300000" doc:"How long all attempts to deliver one event may take under ack none, and to store one under ack stored, in milliseconds."`
	Secrets           map[string]keg.Secret `kong:"secrets,referenceable,encrypted" doc:"Secrets by the names that ${NAME} in routes finds them by, before the environment. Kong looks for vault references here, and not within routes."`
	EventType         string                `kong:"event_type" default:"kong.request.completed" match:"^[^%c]+$" doc:"The type of the events."`
	Node              string                `kong:"node" match:"^[%w][%w%.%-]*$" doc:"What the source of the events calls this node: //NODE/services/SERVICE, by the service's name, or its id where it has none; //NODE where no service was reached. The machine's host name where unset."`
	Sampling          float64               `kong:"sampling" default:"1" between:"0,1" doc:"The share of all requests that become events, from 0 to 1. Which these are goes by the request's id, so that plugins with the same rate take the same requests."`
	CustomFields      map[string]string     `kong:"custom_fields" doc:"Text constants to put into the log entry, by their paths: environment, or request.tags.team. A dot in a name is written \\. with a backslash."`
	CustomFieldsByLua map[string]string     `kong:"custom_fields_by_lua" refused:"is Lua, which cannot run here: use custom_fields for what is constant, and a route's transform for what is computed" doc:"Fields of Kong's http-log that are computed by Lua. Not supported: custom_fields has constants, and a route's transform computes."`
	Redact            []string              `kong:"redact" doc:"Paths of the log entry whose values are replaced by REDACTED: request.headers.x-token, request.querystring.token (in request.uri, request.url and upstream_uri too), tries.*.ip. A star is any name or element; a path through a list without either means every element. Names are compared in any case."`
	RedactCredentials bool                  `kong:"redact_credentials" default:"true" doc:"Whether to redact, beside what redact names, the headers authorization, proxy-authorization, cookie, apikey, api-key and x-api-key of requests, set-cookie and authorization of answers, and the query arguments apikey, access_token and jwt."`
	MaxEventBytes     int64                 `kong:"max_event_bytes" between:"1024,67108864" doc:"The largest log entry, and the largest event, in bytes; what is larger is dropped. The limit of the node where unset."`

	// PluginID is Kong's id of the plugin, the same in every worker and after a
	// restart: what is stored for its own routes is known by it.
	PluginID string `kong:"__plugin_id,unlisted"`

	types []keg.DestinationType
}

// JSONSchemas tells Kong's Admin API what routes may look like.
func (c *eventLogConfig) JSONSchemas() map[string]any {
	return map[string]any{"routes": router.JSONSchema(c.types)}
}

var nodeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*$`)

// rules compiles what is done with entries, and reports what of it is wrong.
func (c *eventLogConfig) rules() (entryRules, error) {
	redact, err := parseRedactions(c.Redact)
	if c.RedactCredentials {
		also, _ := parseRedactions(credentials)
		redact = append(redact, also...)
	}
	fields, fieldsErr := parseFields(c.CustomFields)
	return newEntryRules(redact, fields), errors.Join(err, fieldsErr)
}

// problems reports what Kong's schema refuses, too, for whoever does not ask it,
// and a promise that the node cannot keep.
func (c *eventLogConfig) problems(keeps bool) error {
	errs := []error{secretProblems(c.Secrets)}
	e := keg.Event{ID: "any", Source: "any", Type: cmp.Or(c.EventType, logType)}
	if err := e.Validate(); err != nil {
		invalid, _ := errors.AsType[*keg.InvalidError](err)
		errs = append(errs, fmt.Errorf("config.event_type: %s", invalid.Problem))
	}
	if c.Node != "" && !nodeName.MatchString(c.Node) {
		errs = append(errs, errors.New("config.node: is no name of a node: letters, digits, dots and dashes"))
	}
	if c.Sampling < 0 || c.Sampling > 1 {
		errs = append(errs, errors.New("config.sampling: must be between 0 and 1"))
	}
	switch ack := keg.Ack(c.Ack); {
	case ack == keg.AckStored && !keeps:
		errs = append(errs, errors.New("config.ack: stored needs persistence, which this node does not have: set KEG_PERSISTENCE_ENABLE=true, or use none"))
	case ack != "" && ack != keg.AckStored && ack != keg.AckNone:
		errs = append(errs, fmt.Errorf("config.ack: %q is none of stored, none; nobody waits in Kong's log phase to hear of more", c.Ack))
	}
	return errors.Join(errs...)
}

// hostName is what a node is called that nobody has named, as a URI can have it.
func hostName() string {
	name, _ := os.Hostname()
	name = strings.Map(func(c rune) rune {
		if c == '.' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			return c
		}
		return '-'
	}, name)
	return cmp.Or(strings.Trim(name, ".-"), "localhost")
}
