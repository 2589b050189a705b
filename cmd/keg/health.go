package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kong/keg/console"
)

func healthCommand() *cobra.Command {
	var output string
	var live bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a running node whether it is ready",
		Long: `Ask the status listener of a running node whether the node is ready: it has
started, does not stop, and its store (if it has one) takes events. A destination
that is away, or a source that is down, does not make a node unready; the answer
names it.

One line says how it is. The exit status is 0 for ready, 1 for not ready or no
answer, as a container's health check wants it. With --live it is 0 for as long
as the process answers, also while it stops.`,
		Example: `  keg health
  keg health --status-listen :9090 --output json
  HEALTHCHECK CMD ["keg", "health"]        # in a Dockerfile`,
		Args: noArguments,
	}
	s := bind(cmd.Flags(), "health")
	outputFlag(cmd, &output)
	cmd.Flags().BoolVar(&live, "live", false, "ask only whether the process lives")
	cmd.Flags().DurationVar(&timeout, "timeout", 5*time.Second, "how long to wait for the answer")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkOutput(output); err != nil {
			return err
		}
		address, err := statusAddress(s)
		if err != nil {
			return err
		}
		if address == "" {
			return misuse(fmt.Errorf("%s=off: a node without a status listener cannot be asked", s["status-listen"].origin))
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
		defer cancel()
		client := console.NewClient(address)
		defer client.Close()
		if live {
			return tellLive(ctx, cmd.OutOrStdout(), client, address, output)
		}
		return tellReady(ctx, cmd.OutOrStdout(), client, address, output)
	}
	return cmd
}

// statusAddress is where the node's status listener is; "" where it is off.
func statusAddress(s settings) (string, error) {
	address, err := parse(s, "status-listen", console.ParseListen)
	return address, misuse(err)
}

func tellLive(ctx context.Context, w io.Writer, client *console.Client, address, output string) error {
	if err := client.Live(ctx); err != nil {
		return noAnswer(address, err)
	}
	text := "the node lives\n"
	if output == "json" {
		text = `{"status":"ok"}` + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

func tellReady(ctx context.Context, w io.Writer, client *console.Client, address, output string) error {
	report, err := client.Readiness(ctx)
	if err != nil {
		return noAnswer(address, err)
	}
	if output == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false) // a source's name has an &
		if err := encoder.Encode(report); err != nil {
			return err
		}
	} else if report.Ready {
		if _, err := fmt.Fprintln(w, healthLine(report)); err != nil {
			return err
		}
	}
	if !report.Ready {
		return fmt.Errorf("not ready: %s", printable([]byte(strings.Join(report.Why, "; "))))
	}
	return nil
}

// healthLine is "ready; store ok, 3 waiting, 0 dead letters; 2 destinations, 1
// away: …; 2 sources, 1 down: …". Sources that are well are not mentioned.
func healthLine(r console.Readiness) string {
	parts := []string{"ready", "no store", counted(len(r.Destinations), "destination")}
	if r.Store.Status != "none" {
		parts[1] = "store " + r.Store.Status
	}
	if r.Store.StoreCounts != nil {
		parts[1] += fmt.Sprintf(", %d waiting, %s", r.Store.Waiting, counted(int(r.Store.DeadLetters), "dead letter"))
	}
	var away []string
	for _, d := range r.Destinations {
		if d.Breaker != console.Closed {
			away = append(away, d.Destination)
		}
	}
	if len(away) > 0 {
		parts[2] += fmt.Sprintf(", %d away: %s", len(away), strings.Join(away, ", "))
	}
	var down []string
	for _, source := range r.Sources {
		if source.Status != "up" {
			down = append(down, source.Source)
		}
	}
	if len(down) > 0 {
		parts = append(parts, fmt.Sprintf("%s, %d down: %s", counted(len(r.Sources), "source"), len(down), strings.Join(down, ", ")))
	}
	if r.Routes != nil && r.Routes.Error != "" {
		parts = append(parts, "the routes file is wrong, and the routes before it are in use")
	}
	return printable([]byte(strings.Join(parts, "; ")))
}

// noAnswer says that a node could not be asked.
func noAnswer(address string, err error) error {
	return fmt.Errorf("no answer from a node at %s: %w", address, err)
}
