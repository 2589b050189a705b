package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/kong/keg"
	"github.com/kong/keg/cmd/keg/dev"
	"github.com/kong/keg/kong"
	"github.com/kong/keg/kong/gateway"
	"github.com/kong/keg/kong/gateway/declarative"
	"github.com/kong/keg/plugins"
	"github.com/kong/keg/router"
	"github.com/kong/keg/sources"
)

// firstLook is everything that `keg dev` runs, and what it calls the files that
// it was made from.
type firstLook struct {
	devConfig
	log     *slog.Logger
	lines   *devLines
	dir     string // for sockets and request bodies; gone at the end
	closers []func()

	kafkaAddr, mqttAddr, webhookAddr string
	sourceAddrs                      chan string // one for each source, when it listens
	statusAddr                       string      // of the status listener; set before it is ready
	statusListens                    chan string // the same, when it listens

	routesFile, kongFile string
	ownRoutes            bool // the user's, not the first look's
	node                 *node
	gateway              *gateway.Gateway
}

// runDev blocks until ctx ends, which is no error.
func runDev(ctx context.Context, s settings, c devConfig, stdout io.Writer) error {
	log, stop, err := openLog(s)
	if err != nil {
		return err
	}
	defer stop()
	f := &firstLook{devConfig: c, log: log, lines: &devLines{w: stdout}}
	defer f.close()
	if err := errors.Join(f.startBrokers(), f.wireNode(s)); err != nil {
		return err
	}
	if err := f.wireGateway(s); err != nil {
		return err
	}
	defer tellStop(ctx, log)()
	err = f.run(ctx, stdout)
	if usage := new(usageError); unusable(err) && !errors.As(err, &usage) { // which has said it
		err = misuse(fmt.Errorf("%w\nChoose another address with --proxy-listen, --admin-listen or --http-source-listen, or leave it out with off", err))
	}
	return err
}

func (f *firstLook) startBrokers() error {
	return errors.Join(
		listening("kafka-listen", f.kafka, func(address string) error {
			kafka, err := dev.StartKafka(address)
			if err == nil {
				f.kafkaAddr = kafka.Addr()
				f.closers = append(f.closers, kafka.Close)
			}
			return err
		}),
		listening("mqtt-listen", f.mqtt, func(address string) error {
			// The broker tells of every connection; that is no news here.
			broker, err := dev.StartMQTT(address, slog.New(slog.DiscardHandler))
			if err == nil {
				f.mqttAddr = broker.Addr()
				f.closers = append(f.closers, broker.Close)
			}
			return err
		}),
		listening("webhook-listen", f.webhook, func(address string) error {
			webhook, err := dev.StartWebhook(address, f.lines.received)
			if err == nil {
				f.webhookAddr = webhook.Addr()
				f.closers = append(f.closers, webhook.Close)
			}
			return err
		}),
	)
}

func (f *firstLook) wireNode(s settings) error {
	if at := s["persistence-url"]; at.text == fallbackOf("persistence-url") {
		at.text = "file:keg-data" // here, where the user sees it
	}
	config, err := readNodeConfig(s, f.loadTable)
	if err != nil {
		return misuse(err)
	}
	if f.dir, err = os.MkdirTemp("", "keg-dev-"); err != nil {
		return err
	}
	if s.text("socket") == "" {
		config.socket = filepath.Join(f.dir, "keg.socket")
	}
	if f.httpSource != "off" {
		config.sources = append(config.sources, sources.Listener(f.httpSource))
	}
	listeners := 0
	for _, c := range config.sources {
		if c.Type == "http" { // the others connect to a broker, when there is one
			listeners++
		}
	}
	f.sourceAddrs, f.statusListens = make(chan string, listeners), make(chan string, 1)
	f.node, err = newNode(config, f.log, observers{
		event: f.lines.event, attempted: f.lines.attempted,
		listening: func(_ keg.SourceConfig, address net.Addr) { f.sourceAddrs <- address.String() },
		status:    func(address net.Addr) { f.statusListens <- address.String() },
	})
	return err
}

// loadTable falls back on the tree's own routes, or the embedded copy. They name
// the brokers' addresses by variables, so that they follow the listen flags.
func (f *firstLook) loadTable(path string, o router.Options) (*router.Table, *routesFile, error) {
	brokers := map[string]string{"KEG_DEV_KAFKA": f.kafkaAddr, "KEG_DEV_MQTT": f.mqttAddr, "KEG_DEV_WEBHOOK": f.webhookAddr}
	o.LookupEnv = func(name string) (string, bool) {
		if address, ok := brokers[name]; ok && address != "" {
			return address, true
		}
		return os.LookupEnv(name)
	}
	f.ownRoutes = path != ""
	if path == "" {
		var text []byte
		path, text = treeOrEmbedded("routes.yaml", kong.Routes)
		if _, err := os.Stat(path); err != nil { // the embedded copy
			f.routesFile = path
			table, err := router.Parse(path, text, o)
			return table, nil, err
		}
	}
	f.routesFile = path
	file := &routesFile{path: path, options: o}
	table, err := file.load()
	return table, file, err
}

func (f *firstLook) wireGateway(s settings) error {
	var text []byte
	if f.kongConfig != "" {
		f.kongFile = f.kongConfig
		var err error
		if text, err = os.ReadFile(f.kongConfig); err != nil {
			return misuse(fmt.Errorf("--kong-config: %w", err))
		}
	} else {
		f.kongFile, text = treeOrEmbedded("kong.yml", kong.Config)
	}
	keg, err := os.Executable()
	if err != nil {
		return err
	}
	options := gateway.Options{
		Config: text, Proxy: s.text("proxy-listen"), Admin: s.text("admin-listen"),
		Prefix: f.dir, Log: f.log, AdminWritable: f.adminWritable,
	}
	for _, name := range plugins.Names() {
		options.PluginServers = append(options.PluginServers, gateway.PluginServer{
			Name: name, Socket: f.node.socket, QueryCmd: []string{keg, "plugin", "dump", name, "--socket", f.node.socket},
		})
	}
	if f.gateway, err = gateway.New(options); err != nil {
		return misuse(kongProblems(f.kongFile, err))
	}
	return nil
}

// kongProblems is one line for each thing that is wrong with kong.yml.
func kongProblems(file string, err error) error {
	var wrong *declarative.Error
	if !errors.As(err, &wrong) {
		return fmt.Errorf("%s: %w", file, err)
	}
	var problems []error
	for _, line := range wrong.Lines() {
		problems = append(problems, fmt.Errorf("%s: %s", file, line))
	}
	return errors.Join(problems...)
}

// run serves until ctx ends or a part fails; then the stand-in stops first, so
// that what it took is answered, and then the node.
func (f *firstLook) run(ctx context.Context, stdout io.Writer) error {
	if err := f.node.listen(); err != nil {
		return err
	}
	parts, ctx := errgroup.WithContext(ctx)
	nodeCtx, stopNode := context.WithCancel(context.WithoutCancel(ctx))
	defer stopNode()
	parts.Go(func() error {
		err := f.node.run(nodeCtx)
		if nodeCtx.Err() == nil && err == nil {
			return errors.New("the node has stopped")
		}
		return err
	})
	parts.Go(func() error {
		defer stopNode()
		return f.gateway.Run(ctx)
	})
	parts.Go(func() error {
		if sources, ok := f.ready(ctx); ok {
			f.welcome(stdout, sources)
		}
		return nil
	})
	return parts.Wait()
}

// ready waits until everything listens, and returns where the sources do; it is
// false where ctx ended first.
func (f *firstLook) ready(ctx context.Context) (sources []string, ok bool) {
	select {
	case <-f.gateway.Ready():
	case <-ctx.Done():
		return nil, false
	}
	if f.node.console != nil {
		select {
		case f.statusAddr = <-f.statusListens:
		case <-ctx.Done():
			return nil, false
		}
	}
	for len(sources) < cap(f.sourceAddrs) {
		select {
		case address := <-f.sourceAddrs:
			sources = append(sources, address)
		case <-ctx.Done():
			return nil, false
		}
	}
	return sources, true
}

func (f *firstLook) close() {
	for _, c := range f.closers {
		c()
	}
	if f.dir != "" {
		_ = os.RemoveAll(f.dir)
	}
}
