package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kong/keg/kong/gateway"
)

// startGateway runs the stand-in for Kong in the test, in front of the plugin
// server at a socket, with the plugin on every request.
func startGateway(t *testing.T, socket, pluginConfig string) (url string) {
	t.Helper()
	prefix, err := os.MkdirTemp("", "keg")
	do(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(prefix) })
	g, err := gateway.New(gateway.Options{
		Config: fmt.Appendf(nil, `{"_format_version": "3.0", "routes": [{"name": "events", "paths": ["/"], "plugins": [{"name": "event-router", "config": %s}]}]}`, pluginConfig),
		Proxy:  "127.0.0.1:0", Admin: "off", Prefix: prefix, Log: slog.New(slog.DiscardHandler),
		PluginServers: []gateway.PluginServer{{Name: "event-router", Socket: socket,
			QueryCmd: []string{"env", beKeg + "=1", os.Args[0], "plugin", "dump", "event-router", "--socket", socket}}},
	})
	do(t, err)
	runGateway(t, g)
	return "http://" + g.ProxyAddrs()[0].String() + "/"
}

func TestAnEventThatCameThroughThePluginOutlivesAKill(t *testing.T) {
	to := newCollector(t)
	n := prepareNode(t, httpRoute(to.address, "")).kept().run()
	proxy := startGateway(t, n.socket(), `{}`)
	if status, answer, _ := trySend(http.DefaultClient, proxy, orderEvent("before")); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, answer)
	}
	load := startSending(t, 4, time.Millisecond, proxy)
	load.more(t, 100)
	n.kill()
	n.run()
	load.more(t, 100)
	n.kill()
	load.stop()
	load.only(t, 0, http.StatusInternalServerError) // as Kong answers while it has no plugin server
	to.on(t)
	n.run()
	arrive(t, append(load.ids(), "before"), to.all)
}

// TestAnEventThatKongRunsAgainIsOneEvent cuts the connection between the store's
// yes and Kong's hearing of it, upon which Kong runs the same event again.
func TestAnEventThatKongRunsAgainIsOneEvent(t *testing.T) {
	for name, test := range map[string]struct {
		config string
		times  int
	}{
		"with dedupe":    {`{"dedupe": 3600}`, 1},
		"without dedupe": {`{}`, 2},
	} {
		t.Run(name, func(t *testing.T) {
			to := newCollector(t).on(t)
			n := prepareNode(t, httpRoute(to.address, "")).kept().run()
			cut := startCutting(t, filepath.Join(n.dir, "c"), n.socket())
			proxy := startGateway(t, filepath.Join(n.dir, "c"), test.config)
			cut.armed.Store(true)
			status, answer, _ := trySend(http.DefaultClient, proxy, `{"event_type":"order.created"}`) // with no id of its own
			if status != http.StatusAccepted || cut.armed.Load() {
				t.Fatalf("%d %s; cut: %v", status, answer, !cut.armed.Load())
			}
			n.drained()
			got := to.all()
			for id, times := range got {
				if len(got) != 1 || times != test.times || !bytes.Contains([]byte(answer), []byte(id)) {
					t.Errorf("%s came %d times, want %d; all: %v; the answer: %s", id, times, test.times, got, answer)
				}
			}
			if got := n.metric("keg_events_total", `outcome="duplicate"`); got != float64(2-test.times) {
				t.Errorf("%v duplicates are counted", got)
			}
		})
	}
}

// cutting passes on what goes between Kong and a plugin server, and cuts the
// connection, once, instead of passing on an answer to an event.
type cutting struct{ armed atomic.Bool }

func startCutting(t *testing.T, at, to string) *cutting {
	t.Helper()
	c := &cutting{}
	listener, err := net.Listen("unix", at)
	do(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			kong, err := listener.Accept()
			if err != nil {
				return
			}
			keg, err := net.Dial("unix", to)
			if err != nil {
				_ = kong.Close()
				continue
			}
			go func() {
				_, _ = io.Copy(keg, kong)
				_ = keg.Close()
			}()
			go c.answers(kong, keg)
		}
	}()
	return c
}

func (c *cutting) answers(kong, keg net.Conn) {
	defer kong.Close()
	defer keg.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := keg.Read(buffer)
		if err != nil || bytes.Contains(buffer[:n], []byte(`"routes"`)) && c.armed.CompareAndSwap(true, false) {
			return
		}
		if _, err := kong.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// runGateway runs a stand-in until the test ends, and returns when it listens.
func runGateway(t *testing.T, g *gateway.Gateway) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	select {
	case <-g.Ready():
	case err := <-ended:
		ended <- err
		t.Fatal(err)
	}
}
