package declarative

// The schemas of Kong's own entities, as far as the stand-in supports them;
// what else Kong knows is refused by name (see [unsupported]).

const serviceSchema = `{"type": "record", "required": true, "fields": [
	{"id": {"type": "string", "uuid": true}},
	{"created_at": {"type": "integer", "timestamp": true}},
	{"updated_at": {"type": "integer", "timestamp": true}},
	{"name": {"type": "string"}},
	{"protocol": {"required": true, "type": "string", "default": "http", "one_of": ["http", "https"]}},
	{"host": {"type": "string", "required": true}},
	{"port": {"required": true, "type": "integer", "default": 80, "between": [0, 65535]}},
	{"path": {"type": "string", "starts_with": "/"}},
	{"retries": {"type": "integer", "default": 5, "between": [0, 32767]}},
	{"connect_timeout": {"type": "integer", "default": 60000, "between": [1, 2147483646]}},
	{"write_timeout": {"type": "integer", "default": 60000, "between": [1, 2147483646]}},
	{"read_timeout": {"type": "integer", "default": 60000, "between": [1, 2147483646]}},
	{"tags": {"type": "set", "elements": {"type": "string"}}},
	{"enabled": {"required": true, "type": "boolean", "default": true}}
]}`

const routeSchema = `{"type": "record", "required": true, "fields": [
	{"id": {"type": "string", "uuid": true}},
	{"created_at": {"type": "integer", "timestamp": true}},
	{"updated_at": {"type": "integer", "timestamp": true}},
	{"name": {"type": "string"}},
	{"protocols": {"required": true, "type": "set", "len_min": 1, "default": ["http", "https"],
		"elements": {"type": "string", "one_of": ["http", "https"]}}},
	{"methods": {"type": "set", "elements": {"type": "string", "match": "^%u+$"}}},
	{"hosts": {"type": "array", "elements": {"type": "string",
		"match_all": [{"pattern": "^[^*]*%*?[^*]*$", "err": "invalid wildcard: must have at most one wildcard"}],
		"match_any": {"patterns": ["^%*%.", "%.%*$", "^[^*]*$"], "err": "invalid wildcard: must be placed at leftmost or rightmost label"}}}},
	{"paths": {"type": "array", "elements": {"type": "string",
		"match_any": {"patterns": ["^/", "^~/"], "err": "should start with: / (fixed path) or ~/ (regex path)"}}}},
	{"headers": {"type": "map", "keys": {"type": "string",
			"match_none": [{"pattern": "^[Hh][Oo][Ss][Tt]$", "err": "cannot contain 'host' header, which must be specified in the 'hosts' attribute"}]},
		"values": {"type": "array", "len_min": 1, "elements": {"type": "string"}}}},
	{"https_redirect_status_code": {"required": true, "type": "integer", "default": 426, "one_of": [426, 301, 302, 307, 308]}},
	{"regex_priority": {"type": "integer", "default": 0}},
	{"strip_path": {"required": true, "type": "boolean", "default": true}},
	{"path_handling": {"type": "string", "default": "v0", "one_of": ["v0"]}},
	{"preserve_host": {"required": true, "type": "boolean", "default": false}},
	{"request_buffering": {"required": true, "type": "boolean", "default": true, "eq": true}},
	{"response_buffering": {"required": true, "type": "boolean", "default": true, "eq": true}},
	{"tags": {"type": "set", "elements": {"type": "string"}}}
]}`

const pluginSchema = `{"type": "record", "required": true, "fields": [
	{"id": {"type": "string", "uuid": true}},
	{"created_at": {"type": "integer", "timestamp": true}},
	{"updated_at": {"type": "integer", "timestamp": true}},
	{"name": {"type": "string", "required": true}},
	{"instance_name": {"type": "string"}},
	{"protocols": {"required": true, "type": "set", "len_min": 1, "default": ["grpc", "grpcs", "http", "https"],
		"elements": {"type": "string", "one_of": ["grpc", "grpcs", "http", "https"]}}},
	{"enabled": {"required": true, "type": "boolean", "default": true}},
	{"tags": {"type": "set", "elements": {"type": "string"}}}
]}`

const consumerSchema = `{"type": "record", "required": true, "fields": [
	{"id": {"type": "string", "uuid": true}},
	{"created_at": {"type": "integer", "timestamp": true}},
	{"updated_at": {"type": "integer", "timestamp": true}},
	{"username": {"type": "string", "unique": true}},
	{"custom_id": {"type": "string", "unique": true}},
	{"tags": {"type": "set", "elements": {"type": "string"}}}
], "entity_checks": [{"at_least_one_of": ["custom_id", "username"]}]}`

// unsupported lists what Kong has at each level and the stand-in does not.
var unsupported = map[string][]string{
	"": {"consumer_groups", "upstreams", "targets", "certificates", "snis", "ca_certificates", "vaults",
		"keys", "key_sets", "filter_chains", "workspaces"},
	"services":  {"client_certificate", "tls_verify", "tls_verify_depth", "tls_sans", "ca_certificates", "filter_chains"},
	"routes":    {"snis", "sources", "destinations", "filter_chains", "expression", "priority"},
	"plugins":   {"consumer_group", "ordering"},
	"consumers": {"acls", "basicauth_credentials", "groups", "hmacauth_credentials", "jwt_secrets", "keyauth_credentials", "oauth2_credentials"},
}

// unset are those of them that Kong shows where they are not set.
var unset = map[string][]string{
	"services": {"client_certificate", "tls_verify", "tls_verify_depth", "ca_certificates"},
	"routes":   {"snis", "sources", "destinations"},
}

const unsupportedText = "not supported by this stand-in for Kong; Kong itself has it"

// bundled are the plugins that come with Kong; the stand-in has the first only.
var bundled = []string{"request-termination", "acl", "acme", "ai-prompt-decorator", "ai-prompt-guard", "ai-prompt-template",
	"ai-proxy", "ai-request-transformer", "ai-response-transformer", "ai-semantic-cache", "aws-lambda", "azure-functions",
	"basic-auth", "bot-detection", "correlation-id", "cors", "datadog", "file-log", "grpc-gateway", "grpc-web", "hmac-auth",
	"http-log", "ip-restriction", "jwt", "key-auth", "ldap-auth", "loggly", "oauth2", "opentelemetry", "post-function",
	"pre-function", "prometheus", "proxy-cache", "rate-limiting", "redirect", "request-size-limiting", "request-transformer",
	"response-ratelimiting", "response-transformer", "session", "standard-webhooks", "statsd", "syslog", "tcp-log",
	"udp-log", "zipkin"}

// RequestTermination is the schema of the bundled plugin request-termination.
const RequestTermination = `{"name": "request-termination", "fields": [{"config": {"type": "record", "required": true,
	"fields": [
		{"status_code": {"type": "integer", "required": true, "default": 503, "between": [100, 599], "description": "The response code to send."}},
		{"message": {"type": "string", "description": "The message to send, if using the default response generator."}},
		{"content_type": {"type": "string", "description": "Content type of the raw response configured with config.body."}},
		{"body": {"type": "string", "description": "The raw response body to send."}},
		{"echo": {"type": "boolean", "required": true, "default": false, "description": "When set, the plugin will echo a copy of the request back to the client."}},
		{"trigger": {"type": "string", "description": "A string representing an HTTP header name."}}
	]}}]}`

// terminationProblem is what request-termination checks by a function of its own.
func terminationProblem(plugin string, value any) string {
	config, _ := asRecord(value)
	has := func(key string) bool { return config[key] != nil }
	switch {
	case plugin != "request-termination":
	case has("message") && (has("content_type") || has("body")):
		return "message cannot be used with content_type or body"
	case has("content_type") && !has("body"):
		return "content_type requires a body"
	}
	return ""
}
