package gateway

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
)

var requestMethods = map[string]method{
	"kong.request.get_scheme":           {requestPhases, false, textOf(func(*exchange) string { return "http" })},
	"kong.request.get_forwarded_scheme": {requestPhases, false, textOf(func(*exchange) string { return "http" })},
	"kong.request.get_host":             {requestPhases, false, textOf((*exchange).host)},
	"kong.request.get_forwarded_host":   {requestPhases, false, textOf((*exchange).host)},
	"kong.request.get_port":             {requestPhases, false, intOf((*exchange).port)},
	"kong.request.get_forwarded_port":   {requestPhases, false, intOf((*exchange).port)},
	"kong.request.get_http_version": {requestPhases, false, func(e *exchange, _ []byte) ([]byte, error) {
		version, err := strconv.ParseFloat(strings.TrimPrefix(e.in.Proto, "HTTP/"), 64)
		return numberMessage(version), err
	}},
	"kong.request.get_method": {requestPhases, false, textOf(func(e *exchange) string { return e.request.method })},
	"kong.request.get_path":   {requestPhases, false, textOf(func(e *exchange) string { return e.request.path })},
	"kong.request.get_path_with_query": {requestPhases, false, textOf(func(e *exchange) string {
		if e.request.query == "" {
			return e.request.path
		}
		return e.request.path + "?" + e.request.query
	})},
	"kong.request.get_raw_query": {requestPhases, false, textOf(func(e *exchange) string { return e.request.query })},
	"kong.request.get_query_arg": {requestPhases, false, byName(func(e *exchange, name string) (string, error) {
		value, _ := queryArg(e.request.query, name)
		return value, nil
	})},
	"kong.request.get_query": {requestPhases, false, table((*exchange).queryTable)},
	"kong.request.get_header": {requestPhases, true, byName(func(e *exchange, name string) (string, error) {
		return e.request.headers.get(name), nil
	})},
	"kong.request.get_headers": {requestPhases, true, table(func(e *exchange, most int) map[string]any {
		return e.request.headers.lua(most)
	})},
	"kong.request.get_raw_body": {bodyPhases, false, func(e *exchange, _ []byte) ([]byte, error) {
		return e.rawBodyResult()
	}},
	"kong.request.get_uri_captures": {requestPhases, true, func(e *exchange, _ []byte) ([]byte, error) {
		result := &kong_plugin_protocol.UriCapturesResult{}
		if e.match != nil {
			for i, group := range e.match.unnamed {
				if i > 0 { // Lua's list begins at 1, which is the first group
					result.Unnamed = append(result.Unnamed, []byte(group))
				}
			}
			for name, group := range e.match.named {
				if result.Named == nil {
					result.Named = map[string][]byte{}
				}
				result.Named[name] = []byte(group)
			}
		}
		return proto.Marshal(result)
	}},
}

func (e *exchange) host() string {
	name, _ := splitHost(e.request.headers.get("host"))
	return name
}

// port is the one that the request came to.
func (e *exchange) port() int {
	return portOf(e.local.String())
}

func portOf(addr string) int {
	_, text, _ := strings.Cut(addr[strings.LastIndex(addr, "]")+1:], ":")
	port, _ := strconv.Atoi(text)
	return port
}

// queryTable is Kong's get_query: a list where a name is repeated. A name without
// a value is true in Lua, which the message cannot carry: it is lost.
func (e *exchange) queryTable(most int) map[string]any {
	table := map[string]any{}
	for i, pair := range splitQuery(e.request.query) {
		if i == most {
			break
		}
		if !pair.hasValue {
			continue
		}
		switch before := table[pair.name].(type) {
		case nil:
			table[pair.name] = pair.value
		case string:
			table[pair.name] = []any{before, pair.value}
		case []any:
			table[pair.name] = append(before, pair.value)
		}
	}
	return table
}

type queryPair struct {
	name, value string
	hasValue    bool
}

func splitQuery(query string) []queryPair {
	var pairs []queryPair
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		name, value, has := strings.Cut(part, "=")
		pairs = append(pairs, queryPair{unescapedQuery(name), unescapedQuery(value), has})
	}
	return pairs
}

func unescapedQuery(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

func queryArg(query, name string) (string, bool) {
	for _, pair := range splitQuery(query) {
		if pair.name == name {
			return pair.value, true
		}
	}
	return "", false
}

func hasQueryArg(query, name string) bool {
	_, ok := queryArg(query, name)
	return ok
}

// rawBodyResult says what the body is, or where.
func (e *exchange) rawBodyResult() ([]byte, error) {
	content, err := e.rawBody()
	var failed *bodyError
	switch {
	case errors.As(err, &failed):
		// nginx answers for itself when it cannot read the body.
		e.fail(failed.status)
		return nil, errExit
	case e.body.file != nil:
		return appendText(nil, 2, e.body.file.Name()), nil
	default:
		return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), content), nil
	}
}

// rawBody is the body where it lies in memory.
func (e *exchange) rawBody() ([]byte, error) {
	if err := e.body.load(); err != nil {
		return nil, err
	}
	return e.body.memory, nil
}

func luaText(value any) string {
	switch v := value.(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', 14, 64)
	default:
		return fmt.Sprint(v)
	}
}

func luaTypeOf(value any) string {
	switch value.(type) {
	case nil:
		return "nil"
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return "boolean"
	default:
		return "table"
	}
}
