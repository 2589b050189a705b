package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/kong/keg/console"
	"github.com/kong/keg/outbox"
	"github.com/kong/keg/outbox/embedded"
)

func deadLettersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "deadletters",
		Aliases: []string{"deadletter", "dead-letters", "dlq"},
		Short:   "Look at deliveries that were given up, replay them or drop them",
		Long: `A delivery that was given up (its attempts spent, refused for good, too old) is
kept as a dead letter by a node with persistence, until it is replayed or dropped.

These commands ask the running node, at its status listener. Where none runs and
its store is embedded (KEG_PERSISTENCE_URL=file:...), they open the store
themselves; what they replay then goes out when a node starts.`,
		Example: `  keg deadletters list --route orders --since 1h
  keg deadletters show ID
  keg deadletters replay --reason exhausted
  keg deadletters drop --until 720h`,
	}
	group(cmd)
	cmd.AddCommand(deadLettersListCommand(), deadLettersShowCommand(), deadLettersReplayCommand(), deadLettersDropCommand())
	return cmd
}

// filterFlags say which dead letters a command is about.
type filterFlags struct{ route, destination, reason, since, until string }

func (f *filterFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.route, "route", "", "only those of this route")
	flags.StringVar(&f.destination, "destination", "", "only those owed to this destination, by its name")
	flags.StringVar(&f.reason, "reason", "", "only those given up for this reason: exhausted, refused, expired, ...")
	flags.StringVar(&f.since, "since", "", "only those given up since then: 2026-01-31T12:00:00Z, or 1h for an hour ago")
	flags.StringVar(&f.until, "until", "", "only those given up before then")
}

// filter reports every flag that is wrong, joined.
func (f *filterFlags) filter() (outbox.Filter, error) {
	filter := outbox.Filter{Route: f.route, Destination: f.destination}
	now := time.Now()
	moment := func(text string) (time.Time, error) {
		if text == "" {
			return time.Time{}, nil
		}
		return console.ParseTime(text, now)
	}
	var reason, since, until error
	filter.Reason, reason = console.ParseReason(f.reason)
	filter.Since, since = moment(f.since)
	filter.Until, until = moment(f.until)
	return filter, errors.Join(flagError("reason", f.reason, reason), flagError("since", f.since, since), flagError("until", f.until, until))
}

func flagError(flag, text string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("--%s=%q: %w", flag, text, err)
}

// openDeadLetters returns the dead letters of the running node, or, where none
// runs, of its embedded store, and how to close them. It says on stderr where it
// does not ask a node.
func openDeadLetters(ctx context.Context, s settings, stderr io.Writer) (console.DeadLetters, func() error, error) {
	address, err := statusAddress(s)
	if err != nil {
		return nil, nil, err
	}
	missing := "the status listener is off (" + s["status-listen"].origin + ")"
	if address != "" {
		client := console.NewClient(address)
		asked, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		err := client.Live(asked)
		switch {
		case err == nil:
			return client, func() error { client.Close(); return nil }, nil
		case !errors.Is(err, syscall.ECONNREFUSED), !client.OfThisMachine(): // a node of elsewhere has no store here
			return nil, nil, fmt.Errorf("asking the node at %s: %w", address, err)
		}
		missing = "no node answers at " + address
	}
	folder, err := embeddedFolder(s)
	if err != nil {
		return nil, nil, fmt.Errorf("%s, and %w", missing, err)
	}
	store, err := embedded.Open(folder, embedded.Options{Log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		return nil, nil, fmt.Errorf("%s, and %w", missing, err)
	}
	_, _ = fmt.Fprintf(stderr, "%s; this is the store in %s\n", missing, folder)
	return &console.Kept{Store: store}, store.Close, nil
}

// embeddedFolder is where the embedded store lies. It must be there, for to open
// it would make one.
func embeddedFolder(s settings) (string, error) {
	setting := s["persistence-url"]
	at, err := parseStoreURL(setting.text)
	if err != nil {
		return "", misuse(fmt.Errorf("%s: %w", setting.origin, err)) // without the text: it may hold a password
	}
	folder := at.folder
	if folder == "" {
		return "", fmt.Errorf("the store in %s is opened by a running node alone: start one, or say with --status-listen where it is", at)
	}
	entries, err := os.ReadDir(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(entries) == 0:
		return "", fmt.Errorf("there is no store in %s: say where the node listens (--status-listen) or keeps its events (--persistence-url); "+
			"a node without persistence (KEG_PERSISTENCE_ENABLE) has no dead letters", folder)
	case err != nil:
		return "", fmt.Errorf("the store cannot be read: %w", err)
	}
	return folder, nil
}
