package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/kong/keg"
	"github.com/kong/keg/cloudevents"
	"github.com/kong/keg/cmd/keg/tail"
)

func tailCommand() *cobra.Command {
	var output string
	options := tail.Options{}
	cmd := &cobra.Command{
		Use:   "tail ADDRESS",
		Short: "Show the events that arrive at a Kafka topic, an MQTT filter or an HTTP address",
		Long: `Show the events that arrive at a destination: the last ones that it keeps, then
what comes, one event a line, until interrupted. Reading changes nothing there.

  kafka://host:port/topic      every partition of a topic
  mqtt://host:port/filter      messages that match the filter (+ and # are wildcards)
  http://listen-address        what is sent to this address`,
		Example: `  keg tail kafka://127.0.0.1:9092/order-processing
  keg tail 'mqtt://127.0.0.1:1883/#' --output json
  keg tail kafka://127.0.0.1:9092/orders -n 100 --follow=false`,
		Args: arguments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			if options.Last < 0 {
				return misuse(fmt.Errorf("--last=%d: must not be negative", options.Last))
			}
			options.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			ctx, unwritable := context.WithCancelCause(cmd.Context())
			defer unwritable(nil)
			emit := eventLines(cmd.OutOrStdout(), output)
			options.Emit = func(i tail.Item) {
				if err := emit(i); err != nil {
					unwritable(fmt.Errorf("writing an event: %w", err))
				}
			}
			err := tail.Run(ctx, args[0], options)
			var address *tail.AddressError
			switch {
			case errors.As(err, &address):
				return misuse(err)
			case err == nil && cmd.Context().Err() == nil:
				return context.Cause(ctx)
			}
			return err
		},
	}
	outputFlag(cmd, &output)
	cmd.Flags().IntVarP(&options.Last, "last", "n", 10, "how many of the events kept there to show first")
	cmd.Flags().BoolVarP(&options.Follow, "follow", "f", true, "go on with what comes")
	return cmd
}

// eventLines prints an event on one line: as text for people, or as CloudEvents
// JSON for programs.
func eventLines(w io.Writer, output string) func(tail.Item) error {
	return func(i tail.Item) error {
		line := append([]byte(eventLine(i)), '\n')
		if output == "json" {
			line = append(cloudevents.AppendJSON(nil, i.Event), '\n')
		}
		_, err := w.Write(line)
		return err
	}
}

func eventLine(i tail.Item) string {
	e := i.Event
	at := "-"
	if !e.Time.IsZero() {
		at = e.Time.Local().Format(time.RFC3339)
	}
	return fmt.Sprintf("%s  %s  %s  %s  %s  %s", at, printable([]byte(i.Place)), printable([]byte(e.Type)), printable([]byte(e.Source)), printable([]byte(e.ID)), dataLine(e))
}

// maxLineData is how much of an event's data a line shows, in bytes.
const maxLineData = 4096

func dataLine(e *keg.Event) string {
	if len(e.Data) == 0 {
		return "(no data)"
	}
	if len(e.Data) > maxLineData {
		return fmt.Sprintf("%s… (%d bytes in all)", printable(e.Data[:maxLineData]), len(e.Data))
	}
	return printable(e.Data)
}

// printable makes a stranger's bytes safe for a terminal and keeps them on one line.
func printable(text []byte) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case !unicode.IsPrint(r):
			return '�'
		}
		return r
	}, string(text))
}
