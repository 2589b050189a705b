package gateway

import (
	"maps"
	"strings"

	"github.com/kong/keg/kong/gateway/declarative"
)

// serialize is kong.log.serialize: the log entry of the request.
func (e *exchange) serialize() map[string]any {
	status := any("")
	if e.upstream.status != 0 {
		status = e.upstream.status
	}
	request := e.request.headers.lua(100)
	for _, secret := range []string{"authorization", "proxy-authorization"} {
		if request[secret] != nil {
			request[secret] = "REDACTED" // Kong's own word
		}
	}
	answer := e.answer.headers.lua(100)
	answer["connection"] = "close"
	entry := map[string]any{
		"source":          logSource(e.source),
		"upstream_uri":    e.upstreamURI(),
		"upstream_status": status,
		"client_ip":       e.clientIP(),
		"started_at":      e.start.UnixMilli(),
		"workspace":       declarative.Workspace,
		"workspace_name":  "default",
		"request": map[string]any{
			"id": e.id, "method": e.request.method, "uri": e.request.uri,
			"url":  "http://" + e.request.headers.get("host") + e.request.uri,
			"size": e.requestLength(), "headers": request, "querystring": e.queryTable(100),
		},
		"response": map[string]any{"status": e.answer.status, "size": e.answer.sent, "headers": answer},
		"latencies": map[string]any{
			"kong": e.latency.kong, "proxy": e.latency.upstream, "receive": e.latency.receive, "request": e.latency.request,
		},
	}
	if e.match != nil {
		entry["route"] = e.routeShown()
		entry["tries"] = e.tries
		if s := e.serviceShown(); s != nil {
			entry["service"] = s
		}
	}
	for key, value := range e.serialized {
		setPath(entry, key, value)
	}
	return entry
}

// serializeAlso is kong.log.set_serialize_value: a value at a path of the entry;
// nil takes what is there away.
func (e *exchange) serializeAlso(key string, value any) {
	if e.serialized == nil {
		e.serialized = map[string]any{}
	}
	e.serialized[key] = value
}

func setPath(entry map[string]any, path string, value any) {
	head, rest, nested := strings.Cut(path, ".")
	if !nested {
		if value == nil {
			delete(entry, head)
		} else {
			entry[head] = value
		}
		return
	}
	inner, ok := entry[head].(map[string]any)
	if !ok {
		if value == nil {
			return
		}
		inner = map[string]any{}
	}
	inner = maps.Clone(inner) // it may be an entity's own
	entry[head] = inner
	setPath(inner, rest, value)
}

func logSource(source string) string {
	if source == "service" {
		return "upstream"
	}
	return "kong"
}
