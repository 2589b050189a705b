// Command keg is the event gateway: what Kong runs as its plugin server (serve),
// a first look without Kong (dev), and the tools around them. This package wires
// the others together and holds nothing that they could.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit statuses: a user's mistake is told from a failure.
const (
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		s := <-signals
		signal.Stop(signals) // the first asks for an orderly end; a second one ends keg at once
		cancel(fmt.Errorf("signal: %v", s))
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program, and returns its exit status. Standard output carries
// what was asked for and nothing else; all that is said beside it goes to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var usage *usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(stderr, "keg: %v\n", err)
		return exitUsage
	}
	_, _ = fmt.Fprintf(stderr, "keg: %v\n", err)
	return exitFailure
}

// usageError is a mistake in what keg was given: arguments, settings, files.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func misuse(err error) error {
	if err == nil {
		return nil
	}
	return &usageError{err}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "keg",
		Short: "An event gateway for Kong: requests in, Kafka, HTTP and MQTT out",
		Long: `keg turns Kong Gateway (open source) into an event gateway. Its plugins read the
event in each request, match it against routes, and forward it to Kafka, HTTP or
MQTT; the answer tells the sender what happened.

Start with "keg dev": it needs neither Kong nor a broker.`,
		Version:       versionLine(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	group(root)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return misuse(fmt.Errorf("%w\nSee \"%s --help\"", err, cmd.CommandPath()))
	})
	root.AddCommand(
		devCommand(), serveCommand(),
		routesCommand(), tailCommand(), healthCommand(), deadLettersCommand(), pluginCommand(),
		versionCommand(), environmentHelp(),
	)
	return root
}

// group makes a command that only holds others show its help, and take a word
// that is none of theirs for a mistake.
func group(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 2 // of letters, between a mistyped command and the one that was meant
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		problem := fmt.Errorf("there is no command %q in %s", args[0], cmd.CommandPath())
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			problem = fmt.Errorf("%w; did you mean %s?", problem, strings.Join(near, " or "))
		}
		return misuse(fmt.Errorf("%w\nSee \"%s --help\"", problem, cmd.CommandPath()))
	}
}
