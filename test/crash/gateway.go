package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/kong/keg/kong/gateway"
)

// kongConfig has the plugin on every request.
const kongConfig = `{"_format_version": "3.0", "routes": [{"name": "events", "paths": ["/"], "plugins": [{"name": "event-router"}]}]}`

// startGateway runs the stand-in for Kong in this process, which survives what
// happens to the node: as with Kong itself, requests fail while there is no plugin
// server, and an event whose connection breaks is run again. The returned
// function stops it.
func startGateway(ctx context.Context, n *node) (url string, stop func(), err error) {
	g, err := gateway.New(gateway.Options{
		Config: []byte(kongConfig), Proxy: "127.0.0.1:0", Admin: "off", Prefix: n.dir, Log: slog.New(slog.DiscardHandler),
		PluginServers: []gateway.PluginServer{{Name: "event-router", Socket: n.socket, QueryCmd: []string{n.keg, "plugin", "dump", "event-router", "--socket", n.socket}}},
	})
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	select {
	case <-g.Ready():
	case err := <-ended:
		cancel()
		return "", nil, fmt.Errorf("the stand-in for Kong: %w", err)
	}
	return "http://" + g.ProxyAddrs()[0].String() + "/", func() {
		cancel()
		if err := <-ended; err != nil && err != http.ErrServerClosed {
			fmt.Fprintln(os.Stderr, "crash: the stand-in for Kong:", err)
		}
	}, nil
}
