package gateway

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// nginxVars are the variables of nginx that mean the same here. What is in none
// of the tables is empty, as a variable without a value is in nginx; a name that
// nginx does not know is empty in Lua too.
var nginxVars = map[string]func(*exchange) string{
	"request":            func(e *exchange) string { return e.in.Method + " " + e.in.RequestURI + " " + e.in.Proto },
	"request_method":     func(e *exchange) string { return e.request.method },
	"request_uri":        func(e *exchange) string { return e.in.RequestURI },
	"uri":                (*exchange).nginxURI,
	"document_uri":       (*exchange).nginxURI,
	"args":               func(e *exchange) string { return e.request.query },
	"query_string":       func(e *exchange) string { return e.request.query },
	"is_args":            func(e *exchange) string { return isArgs(e.request.query) },
	"scheme":             func(*exchange) string { return "http" },
	"https":              func(*exchange) string { return "" },
	"host":               (*exchange).nginxHost,
	"server_name":        func(*exchange) string { return "kong" },
	"server_protocol":    func(e *exchange) string { return e.in.Proto },
	"server_addr":        func(e *exchange) string { return ipOf(e.local.String()) },
	"server_port":        func(e *exchange) string { return strconv.Itoa(e.port()) },
	"remote_addr":        (*exchange).clientIP,
	"remote_port":        func(e *exchange) string { return strconv.Itoa(portOf(e.client.String())) },
	"realip_remote_addr": (*exchange).clientIP,
	"realip_remote_port": func(e *exchange) string { return strconv.Itoa(portOf(e.client.String())) },
	"content_type":       func(e *exchange) string { return e.request.headers.get("content-type") },
	"content_length":     func(e *exchange) string { return e.request.headers.get("content-length") },
	"request_length":     func(e *exchange) string { return strconv.FormatInt(e.requestLength(), 10) },
	"request_id":         func(e *exchange) string { return e.id },
	"kong_request_id":    func(e *exchange) string { return e.id },
	"request_time":       func(e *exchange) string { return fmt.Sprintf("%.3f", time.Since(e.start).Seconds()) },
	"msec":               func(*exchange) string { return fmt.Sprintf("%.3f", float64(time.Now().UnixMilli())/1000) },
	"time_iso8601":       func(*exchange) string { return time.Now().Format("2006-01-02T15:04:05-07:00") },
	"time_local":         func(*exchange) string { return time.Now().Format("02/Jan/2006:15:04:05 -0700") },
	"pid":                func(*exchange) string { return strconv.Itoa(os.Getpid()) },
	"hostname":           func(*exchange) string { name, _ := os.Hostname(); return name },
	"nginx_version":      func(*exchange) string { return "1.25.3" },
	"status":             (*exchange).nginxStatus,
	"request_body_file": func(e *exchange) string {
		if e.body.file == nil {
			return ""
		}
		return e.body.file.Name()
	},
	"request_body":    func(e *exchange) string { return string(e.body.memory) },
	"upstream_uri":    func(e *exchange) string { return e.upstreamURI() },
	"upstream_scheme": func(e *exchange) string { return e.upstream.scheme },
	"upstream_host":   func(e *exchange) string { return e.upstream.host },
	"proxy_add_x_forwarded_for": func(e *exchange) string {
		return strings.Join(append(e.request.headers.values("x-forwarded-for"), e.clientIP()), ", ")
	},
}

// nginxVar is ngx.var[name]. A digit is a group of a regular expression in
// nginx.conf, of which there is none.
func (e *exchange) nginxVar(name string) (string, error) {
	if f, ok := nginxVars[name]; ok {
		return f(e), nil
	}
	dashed := func(rest string) string { return strings.ReplaceAll(rest, "_", "-") }
	if rest, ok := strings.CutPrefix(name, "http_"); ok {
		return strings.Join(e.request.headers.values(dashed(rest)), ", "), nil
	}
	if rest, ok := strings.CutPrefix(name, "sent_http_"); ok {
		return strings.Join(e.answer.headers.values(dashed(rest)), ", "), nil
	}
	if rest, ok := strings.CutPrefix(name, "arg_"); ok {
		return rawQueryArg(e.request.query, rest), nil
	}
	if rest, ok := strings.CutPrefix(name, "cookie_"); ok {
		if c, err := e.in.Cookie(rest); err == nil {
			return c.Value, nil
		}
	}
	return "", nil
}

// rawQueryArg finds an argument as nginx does: without case, and not unescaped.
func rawQueryArg(query, name string) string {
	for part := range strings.SplitSeq(query, "&") {
		if key, value, _ := strings.Cut(part, "="); strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}

func (e *exchange) nginxURI() string {
	if plain, err := url.PathUnescape(e.request.rawPath); err == nil {
		return normalize(plain)
	}
	return e.request.path
}

func (e *exchange) nginxHost() string {
	if host := e.host(); host != "" {
		return host
	}
	return "kong"
}

func (e *exchange) nginxStatus() string {
	if e.answer.status == 0 {
		return "000"
	}
	return strconv.Itoa(e.answer.status)
}

// requestLength is the size of the request on the wire, as far as it was read.
func (e *exchange) requestLength() int64 {
	size := e.request.size
	switch {
	case e.body.received > 0:
		size += e.body.received
	case e.in.ContentLength > 0:
		size += e.in.ContentLength
	}
	return size
}

func (e *exchange) upstreamURI() string {
	if e.match == nil {
		return ""
	}
	return e.upstream.path + isArgs(e.upstream.query) + e.upstream.query
}

func isArgs(query string) string {
	if query == "" {
		return ""
	}
	return "?"
}

func ipOf(addr string) string {
	i := strings.LastIndex(addr, ":")
	if i < 0 {
		return addr
	}
	return strings.Trim(addr[:i], "[]")
}
