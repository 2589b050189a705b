package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kong/keg/console"
)

func deadLettersShowCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one dead letter: its story and its event",
		Example: `  keg deadletters show ID
  keg deadletters show ID --output json | jq .event.data`,
		Args: arguments(1),
	}
	s := bind(cmd.Flags(), "deadletters")
	outputFlag(cmd, &output)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if err := checkOutput(output); err != nil {
			return err
		}
		letters, closing, err := openDeadLetters(cmd.Context(), s, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		defer closeWith(&err, closing)
		d, err := letters.Show(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if output == "json" {
			encoder := json.NewEncoder(cmd.OutOrStdout())
			encoder.SetIndent("", "  ")
			return encoder.Encode(d)
		}
		return printLetter(cmd.OutOrStdout(), d)
	}
	return cmd
}

// closeWith closes what a command opened, and keeps the error if it is the first.
func closeWith(err *error, closing func() error) {
	*err = errors.Join(*err, closing())
}

func printLetter(w io.Writer, d *console.DeadLetter) error {
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(table, "%s\t%s\n", name, printable([]byte(value)))
		}
	}
	moment := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Local().Format(time.RFC3339)
	}
	row("dead letter", d.ID)
	row("route", dash(d.Route))
	row("destination", dash(d.Destination))
	row("reason", fmt.Sprintf("%s, after %s", d.Reason, counted(d.Attempts, "attempt")))
	row("error", d.Error)
	if d.Status != 0 {
		row("status", fmt.Sprint(d.Status))
	}
	row("accepted", moment(d.Accepted))
	row("first attempt", moment(d.First))
	row("last attempt", moment(d.Last))
	row("given up", moment(d.Died))
	for _, name := range slices.Sorted(maps.Keys(d.Headers)) {
		row("header", name+": "+strings.Join(d.Headers[name], ", "))
	}
	row("event", fmt.Sprintf("%s of data", counted(d.DataBytes, "byte")))
	_ = table.Flush()
	var event bytes.Buffer
	if err := json.Indent(&event, d.Event, "  ", "  "); err != nil {
		return fmt.Errorf("the event is not JSON: %w", err)
	}
	for line := range strings.Lines("  " + event.String()) {
		text.WriteString(printable([]byte(strings.TrimSuffix(line, "\n"))) + "\n")
	}
	_, err := w.Write(text.Bytes())
	return err
}
