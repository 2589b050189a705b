package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kong/keg/console"
)

func deadLettersListCommand() *cobra.Command {
	var output, after string
	var limit int
	var data bool
	var flags filterFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, the oldest first",
		Long: `List dead letters, the oldest first: one a line, as text or as JSON, where each
line is one JSON object and its event is a CloudEvent.`,
		Example: `  keg deadletters list --route orders --since 1h
  keg deadletters list --reason refused --limit 0 --output json | jq -r .event.id`,
		Args: noArguments,
	}
	s := bind(cmd.Flags(), "deadletters")
	flags.bind(cmd)
	outputFlag(cmd, &output)
	cmd.Flags().IntVar(&limit, "limit", 100, "how many at most; 0: all")
	cmd.Flags().StringVar(&after, "after", "", "go on after the dead letter with this id")
	cmd.Flags().BoolVar(&data, "data", false, "with each event's data, in JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		filter, err := flags.filter()
		if err != nil {
			return misuse(err)
		}
		if limit < 0 {
			return misuse(fmt.Errorf("--limit=%d: must not be negative", limit))
		}
		if err := checkOutput(output); err != nil {
			return err
		}
		letters, closing, err := openDeadLetters(cmd.Context(), s, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		defer closeWith(&err, closing)
		show := lettersTable
		if output == "json" {
			show = lettersJSON
		}
		for listed, next := 0, after; ; {
			n := console.MaxPage
			if limit > 0 {
				n = min(n, limit-listed)
			}
			page, err := letters.List(cmd.Context(), filter, next, n, data && output == "json")
			if err != nil {
				return err
			}
			if err := show(cmd.OutOrStdout(), page.DeadLetters, listed == 0); err != nil {
				return err
			}
			listed, next = listed+len(page.DeadLetters), page.Next
			if next == "" {
				if listed == 0 {
					_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "there are none")
				}
				return nil
			}
			if listed == limit {
				_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "there may be more: --after %s\n", next)
				return nil
			}
		}
	}
	return cmd
}

func lettersJSON(w io.Writer, letters []*console.DeadLetter, _ bool) error {
	encoder := json.NewEncoder(w)
	for _, d := range letters {
		if err := encoder.Encode(d); err != nil {
			return err
		}
	}
	return nil
}

// lettersTable prints a table, whose last column a terminal's width cuts.
func lettersTable(w io.Writer, letters []*console.DeadLetter, heading bool) error {
	if len(letters) == 0 {
		return nil
	}
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	if heading {
		_, _ = fmt.Fprintln(table, "ID\tWHEN\tROUTE\tDESTINATION\tREASON\tATTEMPTS\tEVENT\tERROR")
	}
	for _, d := range letters {
		e := d.Named()
		row := []string{d.ID, d.Died.Local().Format(time.RFC3339), dash(d.Route), dash(d.Destination), string(d.Reason),
			fmt.Sprint(d.Attempts), e.Type + " " + e.ID, d.Error}
		for i := range row {
			row[i] = printable([]byte(row[i]))
		}
		_, _ = fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	_ = table.Flush()
	width := widthOf(w)
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintln(w, cut(strings.TrimRight(line, " \n"), width)); err != nil {
			return err
		}
	}
	return nil
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// widthOf is a terminal's width in columns; 0 where w is none.
func widthOf(w io.Writer) int {
	file, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// cut shortens a line to a width; 0 is any.
func cut(line string, width int) string {
	runes := []rune(line)
	if width <= 0 || len(runes) <= width {
		return line
	}
	return string(runes[:width-1]) + "…"
}
