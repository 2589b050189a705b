package plugins

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/net/http/httpguts"

	"github.com/kong/keg/clients"
)

// kafkaUpstreamConfig is one instance's config, as Kong keeps it.
type kafkaUpstreamConfig struct {
	kafkaConfig
	TopicsQueryArg string         `kong:"topics_query_arg" doc:"The argument of the query by which a client names the topics, of those that are allowed, that its record goes to, joined by commas."`
	AllowedTopics  []string       `kong:"allowed_topics" doc:"The topics that a client may name, beside topic, which it always may."`
	ForwardMethod  bool           `kong:"forward_method" default:"false" doc:"Whether the record has the request's method."`
	ForwardURI     bool           `kong:"forward_uri" default:"false" doc:"Whether the record has the request's URI and the arguments of its query."`
	ForwardHeaders bool           `kong:"forward_headers" default:"false" doc:"Whether the record's value has the request's headers."`
	ForwardBody    bool           `kong:"forward_body" default:"true" doc:"Whether the record has the request's body. At least one forward_ field must be true."`
	Headers        *recordHeaders `kong:"headers" doc:"Which of the request's headers are headers of the record."`
	ErrorHandling  *kafkaErrors   `kong:"error_handling" doc:"What a client hears of a failure."`
	Functions      []string       `kong:"message_by_lua_functions" refused:"cannot be used: Lua runs in Kong alone; use event-router with a transform of its route, in CEL, to make records of your own shape" doc:"Lua functions that make the record. Not supported: see transform of event-router's routes."`
}

// recordHeaders says which headers of a request are the record's.
type recordHeaders struct {
	Forward  bool              `kong:"forward_http_headers_as_record_headers" default:"true" doc:"Whether the request's headers can be the record's."`
	All      bool              `kong:"forward_all_by_default" default:"false" doc:"Whether every header is the record's that exclude_headers does not name; else those are that include_headers names."`
	Include  []string          `kong:"include_headers" default:"" doc:"The headers that are the record's."`
	Exclude  []string          `kong:"exclude_headers" default:"" doc:"The headers that are not the record's, where all others are."`
	Names    map[string]string `kong:"name_mappings" default:"" doc:"What a header is called in the record, by its name in the request."`
	Repeated string            `kong:"repeated_headers_behavior" default:"retain_duplicates" one_of:"retain_duplicates,take_first,concatenate_by_comma" doc:"What becomes of a header that came several times."`
}

type kafkaErrors struct {
	ReturnMessage bool `kong:"return_error_message" default:"false" doc:"Whether the answer to a failure names its cause."`
}

func (c *kafkaUpstreamConfig) fill() {
	c.kafkaConfig.fill()
	c.Headers = orZero(c.Headers)
	c.ErrorHandling = orZero(c.ErrorHandling)
}

// problems are what the schema cannot say.
func (c *kafkaUpstreamConfig) problems() error {
	errs := []error{c.kafkaConfig.problems()}
	if !c.ForwardMethod && !c.ForwardURI && !c.ForwardHeaders && !c.ForwardBody {
		errs = append(errs, errors.New("config.forward_body: at least one of forward_method, forward_uri, forward_headers and forward_body must be true"))
	}
	for i, topic := range c.AllowedTopics {
		if err := clients.CheckKafkaTopic(topic); err != nil {
			errs = append(errs, fmt.Errorf("config.allowed_topics[%d]: %w", i+1, err))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Headers.Names)) {
		if !httpguts.ValidHeaderFieldName(c.Headers.Names[name]) {
			errs = append(errs, fmt.Errorf("config.headers.name_mappings: %q is no header's name", c.Headers.Names[name]))
		}
	}
	return errors.Join(errs...)
}
