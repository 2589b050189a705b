package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kong/keg/console"
	"github.com/kong/keg/outbox"
)

// workFlags are those of replay and drop.
type workFlags struct {
	filterFlags
	output        string
	limit         int
	all           bool
	yes           bool // drop
	throughRoutes bool // replay
}

func (f *workFlags) bind(cmd *cobra.Command) settings {
	s := bind(cmd.Flags(), "deadletters")
	f.filterFlags.bind(cmd)
	outputFlag(cmd, &f.output)
	cmd.Flags().IntVar(&f.limit, "limit", 0, "how many at most, the oldest first; 0: all that match")
	cmd.Flags().BoolVar(&f.all, "all", false, "every dead letter there is")
	return s
}

// selection is what the flags and the ids say together.
func (f *workFlags) selection(cmd *cobra.Command, ids []string) (console.Selection, error) {
	filter, err := f.filter()
	filtered := filter != outbox.Filter{}
	switch {
	case err != nil:
	case len(ids) > 0 && (filtered || f.all || f.limit != 0):
		err = errors.New("ids stand alone: give ids, or flags that select")
	case len(ids) > console.MaxIDs:
		err = fmt.Errorf("%d ids at once are too many; %d are not", len(ids), console.MaxIDs)
	case len(ids) == 0 && !filtered && !f.all:
		err = errors.New("which ones? Give ids, or select with --route, --destination, --reason, --since or --until, or say --all")
	case filtered && f.all:
		err = errors.New("--all means every dead letter, and another flag selects some")
	case f.limit < 0:
		err = fmt.Errorf("--limit=%d: must not be negative", f.limit)
	}
	if err != nil {
		return console.Selection{}, misuse(fmt.Errorf("%w\nSee \"%s --help\"", err, cmd.CommandPath()))
	}
	return console.Selection{IDs: ids, Filter: filter, Limit: f.limit, ThroughRoutes: f.throughRoutes}, checkOutput(f.output)
}

func deadLettersReplayCommand() *cobra.Command {
	var f workFlags
	cmd := &cobra.Command{
		Use:   "replay [ID...]",
		Short: "Owe dead letters to their destinations again",
		Long: `Owe dead letters to the destinations that they were owed to, with all attempts
before them. With --through-routes their events are published again instead, and
go where today's routes say; that needs a running node.

What dies again is a dead letter again, and is not replayed a second time by the
same command. Those that were never owed to a destination (undecodable ones) are
left, but with --through-routes.`,
		Example: `  keg deadletters replay ID
  keg deadletters replay --reason exhausted --since 2h
  keg deadletters replay --route orders --through-routes`,
	}
	s := f.bind(cmd)
	cmd.Flags().BoolVar(&f.throughRoutes, "through-routes", false, "publish the events again, by today's routes")
	cmd.RunE = func(cmd *cobra.Command, ids []string) (err error) {
		selection, err := f.selection(cmd, ids)
		if err != nil {
			return err
		}
		letters, closing, err := openDeadLetters(cmd.Context(), s, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		defer closeWith(&err, closing)
		return f.work(cmd, selection, "replayed", letters.Replay)
	}
	return cmd
}

func deadLettersDropCommand() *cobra.Command {
	var f workFlags
	cmd := &cobra.Command{
		Use:   "drop [ID...]",
		Short: "Remove dead letters for good",
		Long: `Remove dead letters, and their events, for good. To drop every one of them needs
--all, and asks first; where nobody can be asked it needs --yes as well.`,
		Example: `  keg deadletters drop ID
  keg deadletters drop --reason expired --until 720h
  keg deadletters drop --all --yes`,
	}
	s := f.bind(cmd)
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
	cmd.RunE = func(cmd *cobra.Command, ids []string) (err error) {
		selection, err := f.selection(cmd, ids)
		if err != nil {
			return err
		}
		if f.all && !f.yes {
			if err := confirm(cmd.InOrStdin(), cmd.ErrOrStderr(), "Drop every dead letter for good?"); err != nil {
				return err
			}
		}
		letters, closing, err := openDeadLetters(cmd.Context(), s, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		defer closeWith(&err, closing)
		return f.work(cmd, selection, "dropped", letters.Drop)
	}
	return cmd
}

// confirm asks whoever sits at the terminal.
func confirm(stdin io.Reader, stderr io.Writer, question string) error {
	file, ok := stdin.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return misuse(errors.New("nobody is there to ask whether that is meant: say --yes"))
	}
	_, _ = fmt.Fprintf(stderr, "%s [y/N] ", question)
	line, _ := bufio.NewReader(stdin).ReadString('\n')
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return errors.New("nothing was done")
	}
	return nil
}

// work replays or drops, shows how far it is, and tells how it went. What was
// selected by id and is not done is a failure; what a filter found and left is
// none.
func (f *workFlags) work(cmd *cobra.Command, s console.Selection, done string,
	do func(context.Context, console.Selection, func(console.Progress)) (console.Progress, error)) error {
	bar := newProgress(cmd.ErrOrStderr(), f.output)
	p, err := do(cmd.Context(), s, bar.show)
	bar.end()
	if f.output == "json" {
		if e := json.NewEncoder(cmd.OutOrStdout()).Encode(p); e != nil {
			return errors.Join(err, e)
		}
	} else if e := printProgress(cmd.OutOrStdout(), p, done, s.ThroughRoutes); e != nil {
		return errors.Join(err, e)
	}
	switch {
	case err != nil:
		return fmt.Errorf("not all were %s: %w", done, err)
	case p.Failed > 0, len(s.IDs) > 0 && p.Left > 0:
		return fmt.Errorf("not all were %s", done)
	}
	return nil
}

func printProgress(w io.Writer, p console.Progress, done string, throughRoutes bool) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s", counted(int(p.Done), "dead letter"), done)
	if p.Left > 0 {
		why := "not there any more"
		if done == "replayed" && !throughRoutes {
			why += ", or never owed to a destination (--through-routes publishes those again)"
		}
		fmt.Fprintf(&text, ", %d left: %s", p.Left, why)
	}
	if p.Failed > 0 {
		fmt.Fprintf(&text, ", %d failed", p.Failed)
	}
	text.WriteString("\n")
	for _, failure := range p.Failures {
		fmt.Fprintf(&text, "  %s: %s\n", printable([]byte(failure.ID)), printable([]byte(failure.Error)))
	}
	if more := p.Failed - int64(len(p.Failures)); more > 0 {
		fmt.Fprintf(&text, "  and %d more\n", more)
	}
	_, err := io.WriteString(w, text.String())
	return err
}
