package server_test

import (
	"context"
	"fmt"

	wire "github.com/Kong/go-pdk/server/kong_plugin_protocol"

	"github.com/kong/keg/kong/server"
)

// probe does what the plugin did whose talk with Kong was recorded.
type probe struct {
	Mode string `kong:"mode" doc:"What the access phase does."`
	Note string `kong:"note" doc:"What the answer mentions."`
}

func probePlugin() server.Plugin {
	return server.Plugin{
		Name: "go-probe", Version: "0.1", Priority: 900,
		Phases: []server.Phase{server.Rewrite, server.Access, server.Response, server.Log},
		Config: func() any { return new(probe) },
		Start:  func(config any) (server.Instance, error) { return config.(*probe), nil },
	}
}

func (p *probe) Close() error { return nil }

func (p *probe) Rewrite(_ context.Context, c *server.Call) error {
	b := c.Batch()
	b.Path()
	return b.Do()
}

func (p *probe) Access(_ context.Context, c *server.Call) error {
	b := c.Batch()
	switch p.Mode {
	case "hello":
		host := b.Header("host")
		if err := b.Do(); err != nil {
			return err
		}
		b = c.Batch()
		b.SetHeader("x-probe", fmt.Sprintf("hi %s note=%s err=<nil>", host.Value(), p.Note))
		return b.Do()
	case "accept":
		headers, body := b.Headers(100), b.RawBody(1<<20)
		if err := b.Do(); err != nil {
			return err
		}
		return c.Exit(202, map[string][]string{"Content-Type": {"application/json"}, "X-Multi": {"a", "b"}},
			fmt.Appendf(nil, `{"accepted":true,"headers":%d,"body":%d,"e1":"<nil>","e2":"<nil>"}`, len(headers.Value()), len(body.Value())))
	case "headers1":
		headers := b.Headers(1)
		if err := b.Do(); err != nil {
			return err
		}
		return c.Exit(200, nil, fmt.Appendf(nil, `{"headers":%d,"h":"%v","err":"<nil>"}`, len(headers.Value()), headers.Value()))
	case "headers1000":
		headers := b.Headers(1000)
		if err := b.Do(); err != nil {
			return err
		}
		return c.Exit(200, nil, fmt.Appendf(nil, `{"headers":%d,"err":"<nil>"}`, len(headers.Value())))
	case "exitnobody":
		return c.Exit(204, nil, nil)
	case "sleep3":
		b.SetHeader("x-slept", "3")
		return b.Do()
	case "pass":
		b.SetServiceHeader("x-from-plugin", "1")
		value, _ := stringValue("2")
		b.Ask("kong.service.request.add_header", &wire.KV{K: "x-from-plugin", V: value}, nil)
		b.Ask("kong.service.request.set_raw_query", &wire.String{V: "q=1"}, nil)
		b.Ask("kong.service.request.set_raw_body", &wire.ByteString{V: []byte("replaced body")}, nil)
		return b.Do()
	case "panic":
		panic("boom from go-probe")
	}
	return nil
}

func (p *probe) Response(_ context.Context, c *server.Call) error {
	b := c.Batch()
	status, headers, body, source := b.ServiceStatus(), b.ServiceHeaders(100), b.ServiceRawBody(1<<20), b.ResponseSource()
	if err := b.Do(); err != nil {
		return err
	}
	b = c.Batch()
	b.SetHeader("x-probe-response", fmt.Sprintf("status=%d headers=%d body=%d source=%s",
		status.Int(), len(headers.Value()), len(body.Value()), source.Value()))
	return b.Do()
}

func (p *probe) Log(_ context.Context, c *server.Call) error {
	b := c.Batch()
	b.LogSerialize()
	b.Status()
	return b.Do()
}
