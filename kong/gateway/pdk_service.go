package gateway

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
)

var serviceMethods = map[string]method{
	// The stand-in has no upstreams, so that none is ever found.
	"kong.service.set_upstream": {toUpstream, false, set(func(*exchange, string) error { return nil })},
	"kong.service.set_target":   {toUpstream, false, (*exchange).setTarget},

	"kong.service.request.set_scheme": {toUpstream, false, set(func(e *exchange, scheme string) error {
		if scheme != "http" && scheme != "https" {
			return errors.New("invalid scheme: " + clean(scheme))
		}
		e.upstream.scheme = scheme
		return nil
	})},
	"kong.service.request.set_path": {toUpstream, false, set(func(e *exchange, path string) error {
		if !strings.HasPrefix(path, "/") {
			return errors.New("path must start with /")
		}
		e.upstream.path = path
		return nil
	})},
	"kong.service.request.set_raw_query": {toUpstream, false, set(func(e *exchange, query string) error {
		e.request.query, e.upstream.query = query, query
		return nil
	})},
	"kong.service.request.set_method": {toUpstream, false, set(func(e *exchange, method string) error {
		if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "MKCOL", "COPY", "MOVE", "PROPFIND", "PROPPATCH", "LOCK", "UNLOCK", "PATCH", "TRACE"}, method) {
			return errors.New("invalid method: " + clean(method))
		}
		e.request.method = method
		return nil
	})},
	"kong.service.request.set_query": {toUpstream, false, func(e *exchange, argument []byte) ([]byte, error) {
		table, err := readStruct(argument, 0)
		if err != nil {
			return nil, err
		}
		e.request.query = encodeQuery(table)
		e.upstream.query = e.request.query
		return nil, nil
	}},
	"kong.service.request.set_header": {toUpstream, false, setHeader((*exchange).setRequestHeader)},
	"kong.service.request.add_header": {toUpstream, false, setHeader(func(e *exchange, name string, values []string) {
		for _, v := range values {
			e.request.headers.add(name, v)
		}
	})},
	"kong.service.request.clear_header": {toUpstream, false, set(func(e *exchange, name string) error { e.request.headers.del(name); return nil })},
	"kong.service.request.set_headers": {toUpstream, false, func(e *exchange, argument []byte) ([]byte, error) {
		all, err := headers(argument)
		for _, h := range all {
			e.setRequestHeader(h.name, all.values(h.name))
		}
		return nil, err
	}},
	"kong.service.request.set_raw_body": {toUpstream, false, set(func(e *exchange, body string) error {
		e.body.replace([]byte(body))
		e.request.headers.set("content-length", strconv.Itoa(len(body)))
		return nil
	})},

	"kong.service.response.get_status": {upstreamAnswer, false, intOf(func(e *exchange) int { return e.upstream.status })},
	// Seen on 3.9.1: in the response phase the upstream's header fields are empty.
	"kong.service.response.get_headers": {upstreamAnswer, false, table(func(*exchange, int) map[string]any { return nil })},
	"kong.service.response.get_header":  {upstreamAnswer, false, byName(func(*exchange, string) (string, error) { return "", nil })},
	"kong.service.response.get_raw_body": {upstreamAnswer, false, textOf(func(e *exchange) string {
		return string(e.answer.body)
	})},

	"kong.router.get_route": {routerPhases, true, func(e *exchange, _ []byte) ([]byte, error) {
		if e.match == nil {
			return nil, nil
		}
		return proto.Marshal(routeMessage(e))
	}},
	"kong.router.get_service": {routerPhases, true, func(e *exchange, _ []byte) ([]byte, error) {
		if e.match == nil || e.match.route.Service == nil {
			return nil, nil
		}
		return proto.Marshal(serviceMessage(e))
	}},
}

func (e *exchange) setRequestHeader(name string, values []string) {
	if strings.EqualFold(name, "host") && len(values) > 0 {
		e.upstream.hostHeader = values[0]
	}
	e.request.headers.set(name, values...)
}

func (e *exchange) setTarget(argument []byte) ([]byte, error) {
	var host string
	var port int
	err := eachField(argument, func(id protowire.Number, bytes []byte, number uint64) error {
		switch id {
		case 1:
			host = string(bytes)
		case 2:
			port = int(int32(number))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if host == "" {
		return nil, errors.New("host must be a string")
	}
	if port < 1 || port > 65535 {
		return nil, fmt.Errorf("port must be an integer between 0 and 65535: given %d", port)
	}
	e.upstream.host, e.upstream.port = host, port
	return nil, nil
}

func encodeQuery(table map[string]any) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(table)) {
		values, isList := table[name].([]any)
		if !isList {
			values = []any{table[name]}
		}
		for _, v := range values {
			part := url.QueryEscape(name)
			if v != true {
				part += "=" + url.QueryEscape(luaText(v))
			}
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "&")
}

func routeMessage(e *exchange) *kong_plugin_protocol.Route {
	r := e.match.route
	m := &kong_plugin_protocol.Route{
		Id: r.ID, Name: r.Name, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
		Protocols: r.Protocols, Methods: r.Methods, Hosts: r.Hosts, Paths: r.Paths, Tags: r.Tags(),
		HttpsRedirectStatusCode: int32(r.HTTPSRedirectStatusCode), RegexPriority: int32(r.RegexPriority),
		StripPath: r.StripPath, PreserveHost: r.PreserveHost,
	}
	if r.Service != nil {
		m.Service = &kong_plugin_protocol.ServiceKey{Id: r.Service.ID}
	}
	return m
}

func serviceMessage(e *exchange) *kong_plugin_protocol.Service {
	s := e.match.route.Service
	return &kong_plugin_protocol.Service{
		Id: s.ID, Name: s.Name, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
		Retries: int32(s.Retries), Protocol: s.Protocol, Host: s.Host, Port: int32(s.Port), Path: s.Path, Tags: s.Tags(),
		ConnectTimeout: int32(s.ConnectTimeout), WriteTimeout: int32(s.WriteTimeout), ReadTimeout: int32(s.ReadTimeout),
	}
}
