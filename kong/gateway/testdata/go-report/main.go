// Go-report is a plugin on Kong's own go-pdk server, for the tests of the
// stand-in: it asks the PDK for all that it can tell and answers with it.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/Kong/go-pdk"
	"github.com/Kong/go-pdk/server"
)

// Config is the plugin's configuration.
type Config struct {
	Mode string   `json:"mode"`
	Tags []string `json:"tags"`
}

func main() {
	if err := server.StartServer(func() any { return &Config{} }, "1.0", 900); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Rewrite leaves a note for the later phases.
func (c *Config) Rewrite(kong *pdk.PDK) { _ = kong.Ctx.SetShared("note", "from rewrite") }

// Access does what the configuration says.
func (c *Config) Access(kong *pdk.PDK) {
	switch c.Mode {
	case "die":
		os.Exit(3)
	case "report":
		body, _ := json.Marshal(report(kong))
		kong.Response.Exit(200, body, map[string][]string{"Content-Type": {"application/json"}, "X-Pid": {fmt.Sprint(os.Getpid())}})
	default:
		_ = kong.ServiceRequest.SetHeader("x-mode", c.Mode)
		_ = kong.Log.Warn("passing ", 1, " on")
	}
}

// Response adds a header to the upstream's answer.
func (c *Config) Response(kong *pdk.PDK) {
	body, err := kong.ServiceResponse.GetRawBody()
	_ = kong.Response.SetHeader("x-upstream-bytes", fmt.Sprint(len(body), err))
}

// Log says on standard error what Kong serialized, so that it is in the log.
func (c *Config) Log(kong *pdk.PDK) {
	text, err := kong.Log.Serialize()
	var entry struct {
		Source   string
		Response struct{ Status int }
	}
	_ = json.Unmarshal([]byte(text), &entry)
	fmt.Fprintln(os.Stderr, "logged", entry.Source, entry.Response.Status, err)
}

func report(kong *pdk.PDK) map[string]any {
	answers := map[string]any{}
	put := func(name string, value any, err error) {
		if err != nil {
			value = "error: " + err.Error()
		}
		answers[name] = value
	}
	text := func(name string, f func() (string, error)) { v, err := f(); put(name, v, err) }
	number := func(name string, f func() (int, error)) { v, err := f(); put(name, v, err) }
	text("client.ip", kong.Client.GetIp)
	text("client.forwarded_ip", kong.Client.GetForwardedIp)
	number("client.port", kong.Client.GetPort)
	text("node.id", kong.Node.GetId)
	text("scheme", kong.Request.GetScheme)
	text("host", kong.Request.GetHost)
	number("port", kong.Request.GetPort)
	text("forwarded_scheme", kong.Request.GetForwardedScheme)
	text("forwarded_host", kong.Request.GetForwardedHost)
	number("forwarded_port", kong.Request.GetForwardedPort)
	text("method", kong.Request.GetMethod)
	text("path", kong.Request.GetPath)
	text("path_with_query", kong.Request.GetPathWithQuery)
	text("raw_query", kong.Request.GetRawQuery)
	text("subsystem", kong.Nginx.GetSubsystem)
	version, err := kong.Request.GetHttpVersion()
	put("http_version", version, err)
	arg, err := kong.Request.GetQueryArg("a")
	put("query_arg", arg, err)
	query, err := kong.Request.GetQuery(-1)
	put("query", query, err)
	header, err := kong.Request.GetHeader("X-Twice")
	put("header", header, err)
	headers, err := kong.Request.GetHeaders(1000)
	put("headers", headers, err)
	body, err := kong.Request.GetRawBody()
	put("body", string(body), err)
	unnamed, named, err := kong.Request.GetUriCaptures()
	put("captures", map[string]any{"Unnamed": unnamed, "Named": named}, err)
	shared, err := kong.Ctx.GetSharedString("note")
	put("shared", shared, err)
	trusted, err := kong.IP.IsTrusted("127.0.0.1")
	put("trusted", trusted, err)
	route, err := kong.Router.GetRoute()
	put("route", route.Name, err)
	service, err := kong.Router.GetService()
	put("service", service.Name, err)
	for _, name := range []string{"request", "request_method", "request_uri", "uri", "args", "arg_a", "http_x_twice", "remote_addr", "server_protocol", "request_length", "content_length", "kong_request_id", "request_id", "nonsense"} {
		value, err := kong.Nginx.GetVar(name)
		put("var."+name, value, err)
	}
	return answers
}
