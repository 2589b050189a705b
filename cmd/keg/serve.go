package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/spf13/cobra"

	"github.com/kong/keg"
)

func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve Kong's plugin server socket, and the sources that are set",
		Long: `Serve Kong: its plugins connect to the unix socket, and the events of their
requests go where the routes say. Kong starts this command (kong.conf:
pluginserver_event_router_start_cmd), or systemd or a container does.

The routes file is watched: a good new one is taken whole, a bad one is told of
and the routes before it stay; SIGHUP has it read again, and the files it names.
It stops on SIGTERM: what is under way ends first. Settings are flags or
environment variables; "keg help environment" lists them.`,
		Example: `  keg serve --routes routes.yaml --socket /usr/local/kong/keg.socket
  KEG_EVENT_SOURCES=http:8080 KEG_ROUTE_CONFIG=routes.yaml keg serve --socket /tmp/keg.socket`,
		Args: noArguments,
	}
	s := bind(cmd.Flags(), "serve")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), s) }
	return cmd
}

func serve(ctx context.Context, s settings) error {
	log, stop, err := openLog(s)
	if err != nil {
		return err
	}
	defer stop()
	collectRarely()
	limitMemory(log, memlimit.FromCgroup)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP) // from the start: nobody who asks for a reload wants keg to end
	defer signal.Stop(hup)
	config, err := readNodeConfig(s, routesOrNone(log))
	if err != nil {
		return misuse(err)
	}
	config.hup = hup
	n, err := newNode(config, log, observers{
		listening: func(c keg.SourceConfig, address net.Addr) {
			log.Info("source listens", "source", c.Name, "address", address.String())
		},
		status: func(address net.Addr) { log.Info("status listens", "address", address.String()) },
	})
	if err != nil {
		return err
	}
	if err := n.listen(); err != nil {
		return err
	}
	log.Info("keg serves", "version", release(), "socket", config.socket, "routes", len(config.table.Routes()))
	defer log.Info("keg has stopped")
	defer tellStop(ctx, log)()
	return n.run(ctx)
}

// tellStop logs that keg stops as soon as it is told to, which may be long before
// it has, unless the returned function is called first.
func tellStop(ctx context.Context, log *slog.Logger) (never func() bool) {
	return context.AfterFunc(ctx, func() {
		log.Info("keg stops: what is under way ends first; a second signal does not wait", "why", context.Cause(ctx))
	})
}

// openLog makes the log that the settings ask for, on stderr.
func openLog(s settings) (*slog.Logger, func(), error) {
	level, err := parse(s, "log-level", logLevel)
	if err != nil {
		return nil, nil, misuse(err)
	}
	format, err := parse(s, "log-format", logFormat)
	if err != nil {
		return nil, nil, misuse(err)
	}
	log, stop := newLog(os.Stderr, level, format)
	return log, stop, nil
}
