package gateway

import (
	"log/slog"
	"os"
	"time"

	"github.com/kong/keg/kong/gateway/pluginserver"
)

// PluginServer is one entry of Kong's pluginserver_names.
type PluginServer struct {
	// Name is also the name of its plugin.
	Name string
	// Socket is a path; empty means NAME.socket in the prefix.
	Socket string
	// QueryCmd prints what the server's plugin is; Dump, where it is set, is what
	// it would print.
	QueryCmd []string
	Dump     []byte
	// StartCmd starts the server; without it somebody else does.
	StartCmd []string
}

// Options configure a stand-in; all but Config may be left out.
type Options struct {
	// Config is the declarative configuration, YAML or JSON.
	Config []byte
	// Proxy and Admin are in Kong's listen syntax; empty means 127.0.0.1:8000 and
	// 127.0.0.1:8001, "off" none.
	Proxy, Admin  string
	PluginServers []PluginServer
	// AdminWritable lets the Admin API change single entities, which a Kong without
	// a database refuses. They are changed in memory, until the end or the next
	// POST /config.
	AdminWritable bool
	// Prefix is the directory for sockets and request bodies; empty means one that
	// is made for the run and removed after it.
	Prefix string
	// Workers is the number of worker processes that plugins believe in; 0 means 2.
	Workers int
	// ClientMaxBodySize is the largest request body; 0 means 256 MiB, less than 0 none.
	ClientMaxBodySize int64
	// ClientTimeout bounds each wait for a client; 0 means 60 s.
	ClientTimeout time.Duration
	// PluginTimeouts are those of the plugins' sockets; zero means Kong's, 60 s.
	PluginTimeouts pluginserver.Timeouts
	// Drain bounds the time that Run waits for what is under way when it stops; 0
	// means 10 s.
	Drain time.Duration
	// LookupEnv resolves {vault://env/…}; nil means the process's environment.
	LookupEnv func(string) (string, bool)
	Log       *slog.Logger
}

// defaults fills in what was left out.
func (g *Gateway) defaults() {
	or := func(text *string, fallback string) {
		if *text == "" {
			*text = fallback
		}
	}
	or(&g.o.Proxy, "127.0.0.1:8000")
	or(&g.o.Admin, "127.0.0.1:8001")
	if g.o.Workers <= 0 {
		g.o.Workers = 2
	}
	if g.o.ClientMaxBodySize == 0 {
		g.o.ClientMaxBodySize = 256 << 20
	}
	if g.o.ClientTimeout == 0 {
		g.o.ClientTimeout = time.Minute
	}
	if g.o.PluginTimeouts == (pluginserver.Timeouts{}) {
		g.o.PluginTimeouts = pluginserver.KongTimeouts
	}
	if g.o.Drain == 0 {
		g.o.Drain = 10 * time.Second
	}
	if g.o.LookupEnv == nil {
		g.o.LookupEnv = os.LookupEnv
	}
	if g.o.Log == nil {
		g.o.Log = slog.New(slog.DiscardHandler)
	}
	g.log = g.o.Log
	g.node = newUUID()
	g.sockets = pluginserver.NewSockets(g.o.PluginTimeouts)
}
