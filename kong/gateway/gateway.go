package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/kong/keg/kong/gateway/declarative"
	"github.com/kong/keg/kong/gateway/pluginserver"
)

// Version is the version of Kong that the stand-in stands in for.
const Version = "3.9.1"

// Banner says what this is; whoever starts the stand-in for people prints it.
const Banner = "stand-in for Kong " + Version + ", for development and tests; production runs Kong"

const token = "kong/" + Version

// Gateway is one stand-in. Its methods may be called by many goroutines at once.
type Gateway struct {
	o       Options
	log     *slog.Logger
	node    string // Kong's node id
	loader  *declarative.Loader
	plugins map[string]*plugin
	servers []PluginServer
	sockets *pluginserver.Sockets
	state   atomic.Pointer[state]
	// changing is held while one configuration is made of another.
	changing sync.Mutex
	bodies   *bodies

	upstreams *upstreams

	proxyAddrs, adminAddrs []string
	ready                  chan struct{}

	mu             sync.Mutex
	proxy, admin   []net.Addr
	requests       atomic.Int64
	active, accept atomic.Int64
	hard           context.Context // over when what is under way must end
	background     sync.WaitGroup  // requests and their log phases
	logs           chan struct{}
}

// New reads the configuration, and asks each plugin server what it has; it
// listens to nothing and starts no process but the query commands. Its error
// may be a [declarative.Error], with everything that is wrong with Config.
func New(o Options) (*Gateway, error) {
	g := &Gateway{o: o, ready: make(chan struct{}), logs: make(chan struct{}, maxLogPhases), upstreams: &upstreams{}}
	g.defaults()
	var errs []error
	var err error
	if g.proxyAddrs, err = ParseListen(g.o.Proxy); err != nil {
		errs = append(errs, fmt.Errorf("proxy: %w", err))
	}
	if g.adminAddrs, err = ParseListen(g.o.Admin); err != nil {
		errs = append(errs, fmt.Errorf("admin: %w", err))
	}
	if err := g.loadPlugins(); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	config, err := g.loader.Load(o.Config)
	if err != nil {
		return nil, err
	}
	if err := g.use(config); err != nil {
		return nil, err
	}
	return g, nil
}

// Ready is closed when everything listens. As with Kong, that does not mean that
// plugin servers do.
func (g *Gateway) Ready() <-chan struct{} { return g.ready }

// ProxyAddrs are the addresses of the proxy's listeners, once Ready is closed.
func (g *Gateway) ProxyAddrs() []net.Addr {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.proxy
}

// AdminAddrs are the addresses of the Admin API's listeners, once Ready is closed.
func (g *Gateway) AdminAddrs() []net.Addr {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.admin
}

// Run listens, starts the plugin servers, and serves until ctx is over; then it
// lets what is under way end, stops the plugin servers, and returns nil. It may
// be called once.
func (g *Gateway) Run(ctx context.Context) (err error) {
	prefix, remove, err := g.prefix()
	if err != nil {
		return err
	}
	defer remove()
	g.bodies = &bodies{dir: filepath.Join(prefix, "client_body_temp")}
	g.connect(prefix)

	proxies, err := listen(g.proxyAddrs)
	if err != nil {
		return fmt.Errorf("proxy: %w", err)
	}
	admins, err := listen(g.adminAddrs)
	if err != nil {
		closeAll(proxies)
		return fmt.Errorf("admin: %w", err)
	}
	hard, stop := context.WithCancel(context.Background())
	defer stop()
	g.mu.Lock()
	g.proxy, g.admin = addrs(proxies), addrs(admins)
	g.hard = hard
	g.mu.Unlock()

	running, stopServers := context.WithCancel(context.Background())
	defer stopServers()
	var processes sync.WaitGroup
	for _, s := range g.servers {
		if len(s.StartCmd) > 0 {
			p := &pluginserver.Process{Name: s.Name, Command: s.StartCmd, Log: g.log, Grace: g.o.Drain}
			processes.Go(func() { p.Run(running) })
		}
	}
	proxy, admin := g.server(g.proxyHandler()), g.server(g.adminHandler())
	failed := make(chan error, len(proxies)+len(admins))
	var serving sync.WaitGroup
	serve := func(s *http.Server, l net.Listener) {
		serving.Go(func() {
			if err := s.Serve(tapped{l}); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		})
	}
	for _, l := range proxies {
		serve(proxy, l)
	}
	for _, l := range admins {
		serve(admin, l)
	}
	close(g.ready)

	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	g.drain(proxy, admin)
	stop()
	stopServers()
	g.sockets.Close()
	serving.Wait()
	processes.Wait()
	g.background.Wait()
	g.upstreams.close()
	return err
}

// drain lets requests and log phases end, for a while.
func (g *Gateway) drain(servers ...*http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), g.o.Drain)
	defer cancel()
	var stopped sync.WaitGroup
	for _, s := range servers {
		stopped.Go(func() {
			if s.Shutdown(ctx) != nil {
				g.log.Warn("requests were cut off at the end")
				s.Close()
			}
		})
	}
	stopped.Wait()
	done := make(chan struct{})
	go func() { g.background.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

func (g *Gateway) prefix() (dir string, remove func(), err error) {
	remove = func() {}
	if dir = g.o.Prefix; dir == "" {
		if dir, err = os.MkdirTemp("", "kong-"); err != nil {
			return "", nil, fmt.Errorf("prefix: %w", err)
		}
		made := dir
		remove = func() { _ = os.RemoveAll(made) }
	}
	if err := os.MkdirAll(filepath.Join(dir, "client_body_temp"), 0o700); err != nil {
		remove()
		return "", nil, fmt.Errorf("prefix: %w", err)
	}
	return dir, remove, nil
}

func listen(addrs []string) ([]net.Listener, error) {
	var listeners []net.Listener
	for _, addr := range addrs {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			closeAll(listeners)
			return nil, err
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

func closeAll[T io.Closer](closers []T) {
	for _, c := range closers {
		c.Close()
	}
}

func addrs(listeners []net.Listener) []net.Addr {
	var all []net.Addr
	for _, l := range listeners {
		all = append(all, l.Addr())
	}
	return all
}
