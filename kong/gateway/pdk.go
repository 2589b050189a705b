package gateway

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// method is one method of Kong's PDK that plugins may call over the socket.
type method struct {
	// phases are those that it may be called in, as Kong's own error lists them;
	// none: all.
	phases []string
	// later: it answers in the log phase too, out of what was saved of the
	// request. Kong runs that phase in a timer, where all else fails.
	later bool
	run   func(e *exchange, argument []byte) ([]byte, error)
}

// Kong's sets of phases, in the order of its error texts.
var (
	anyPhase       []string
	requestPhases  = []string{"rewrite", "access", "response", "header_filter", "body_filter", "log", "admin_api"}
	authAndLater   = []string{"access", "response", "header_filter", "body_filter", "log"}
	beforeAnswer   = []string{"rewrite", "access", "balancer", "response", "header_filter", "error", "admin_api"}
	bodyPhases     = []string{"rewrite", "access", "response", "error", "admin_api"}
	answerPhases   = []string{"response", "header_filter", "body_filter", "log", "error", "admin_api"}
	upstreamAnswer = []string{"response", "header_filter", "body_filter", "log"}
	toUpstream     = []string{"access", "rewrite", "balancer"}
	routerPhases   = []string{"access", "response", "header_filter", "body_filter", "log"}
	authenticating = []string{"rewrite", "access"}
)

// pdk has every method, by name.
var pdk = joined(clientMethods, contextMethods, logMethods, requestMethods, responseMethods, serviceMethods)

func joined(groups ...map[string]method) map[string]method {
	all := map[string]method{}
	for _, group := range groups {
		maps.Copy(all, group)
	}
	return all
}

// Call runs a PDK method; see pluginserver.Caller.
func (e *exchange) Call(name string, argument []byte) ([]byte, error) {
	return e.call(name, argument, false)
}

func (e *exchange) call(name string, argument []byte, later bool) ([]byte, error) {
	m, ok := pdk[name]
	if !ok {
		return nil, fmt.Errorf("method %q not found", clean(name))
	}
	if m.phases != nil && !slices.Contains(m.phases, e.phase) {
		return nil, fmt.Errorf("%s: function cannot be called in %s phase (only in: %s)", name, e.phase, strings.Join(m.phases, ", "))
	}
	if later && !m.later {
		return nil, fmt.Errorf("%s: API disabled in the context of ngx.timer: the log phase runs after the request", name)
	}
	return m.run(e, argument)
}

// clean makes a plugin's text fit for a log line.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text[:min(len(text), 200)])
}

// The shapes that most methods have.

func textOf(f func(e *exchange) string) func(*exchange, []byte) ([]byte, error) {
	return func(e *exchange, _ []byte) ([]byte, error) { return stringMessage(f(e)), nil }
}

func intOf(f func(e *exchange) int) func(*exchange, []byte) ([]byte, error) {
	return func(e *exchange, _ []byte) ([]byte, error) { return intMessage(f(e)), nil }
}

// byName is a method that takes a name and has a text for it.
func byName(f func(e *exchange, name string) (string, error)) func(*exchange, []byte) ([]byte, error) {
	return func(e *exchange, argument []byte) ([]byte, error) {
		name, err := readString(argument)
		if err != nil {
			return nil, err
		}
		text, err := f(e, name)
		return stringMessage(text), err
	}
}

// table is a method that takes how many entries to return, and returns them.
func table(f func(e *exchange, most int) map[string]any) func(*exchange, []byte) ([]byte, error) {
	return func(e *exchange, argument []byte) ([]byte, error) {
		most, err := readInt(argument)
		if err != nil {
			return nil, err
		}
		switch {
		case most <= 0: // seen: 0 and less mean the default
			most = 100
		case most > 1000:
			return nil, fmt.Errorf("max_headers must be <= 1000")
		}
		return structMessage(f(e, most)), nil
	}
}

// set is a method that takes a text.
func set(f func(e *exchange, text string) error) func(*exchange, []byte) ([]byte, error) {
	return func(e *exchange, argument []byte) ([]byte, error) {
		text, err := readString(argument)
		if err != nil {
			return nil, err
		}
		return nil, f(e, text)
	}
}

// setHeader is a method that takes a header's name and value.
func setHeader(f func(e *exchange, name string, values []string)) func(*exchange, []byte) ([]byte, error) {
	return func(e *exchange, argument []byte) ([]byte, error) {
		name, value, err := readKV(argument)
		if err != nil {
			return nil, err
		}
		values, err := headerValues(name, value)
		if err != nil {
			return nil, err
		}
		f(e, name, values)
		return nil, nil
	}
}

// headers reads a Struct of header fields; the names come in order.
func headers(argument []byte) (fields, error) {
	table, err := readStruct(argument, 0)
	if err != nil {
		return nil, err
	}
	return headerTable(table)
}

func headerTable(table map[string]any) (fields, error) {
	var f fields
	for _, name := range slices.Sorted(maps.Keys(table)) {
		values, err := headerValues(name, table[name])
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			f.add(name, v)
		}
	}
	return f, nil
}

func headerValues(name string, value any) ([]string, error) {
	if !validName(name) {
		return nil, fmt.Errorf("invalid header name %q", clean(name))
	}
	switch v := value.(type) {
	case string:
		return []string{v}, nil
	case float64, bool:
		return []string{luaText(v)}, nil
	case []any:
		var values []string
		for _, item := range v {
			more, err := headerValues(name, item)
			if err != nil {
				return nil, err
			}
			values = append(values, more...)
		}
		return values, nil
	default:
		return nil, fmt.Errorf("invalid header value for %q: got %s, expected string, number, or boolean", clean(name), luaTypeOf(value))
	}
}
