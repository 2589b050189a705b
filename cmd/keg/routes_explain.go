package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kong/keg"
	"github.com/kong/keg/cloudevents"
	"github.com/kong/keg/router"
)

func routesExplainCommand() *cobra.Command {
	var output string
	var headers []string
	cmd := &cobra.Command{
		Use:   "explain FILE EVENT",
		Short: "Say for each route of a file whether it takes an event, or why not",
		Long: `Say for each route of a file whether it takes an event, or the first condition that
failed and the value that it saw. Of a route that takes it, also what its schema
says of the data, and what its transforms make of the event for each destination.

EVENT is JSON, a file that holds it, or - for standard input: a CloudEvent
(structured JSON, or a batch), or the body of a plain request. With --header the
request has headers, as curl's -H: a binary CloudEvent's, or those that routes
look at. A running node gives transforms those headers alone that its entries
forward; here they see all of them.`,
		Example: `  keg routes explain routes.yaml '{"event_type":"order.created","order":{"id":7}}'
  keg routes explain routes.yaml event.json --output json
  keg routes explain routes.yaml - -H 'X-Tenant: eu' <body.json`,
		Args: arguments(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			table, err := router.Load(args[0], routerOptions(3))
			if err != nil {
				return misuse(err)
			}
			events, err := readEvents(cmd.InOrStdin(), args[1], headers)
			if err != nil {
				return misuse(err)
			}
			return explain(cmd.OutOrStdout(), output, table, events)
		},
	}
	outputFlag(cmd, &output)
	cmd.Flags().StringArrayVarP(&headers, "header", "H", nil, "a request header, 'Name: value' (repeatable)")
	return cmd
}

// maxEventFile is the most that is read as an event, in bytes.
const maxEventFile = 64 << 20

func readEvents(stdin io.Reader, argument string, headers []string) ([]*keg.Event, error) {
	body, err := eventText(stdin, argument)
	if err != nil {
		return nil, err
	}
	request := &cloudevents.Request{
		Method: "POST", Scheme: "http", Host: "localhost", Path: "/events",
		Headers: keg.Headers{}, Body: body, Received: time.Now(),
	}
	for _, h := range headers {
		name, value, found := strings.Cut(h, ":")
		if !found {
			return nil, fmt.Errorf("--header %q has no colon: use 'Name: value'", h)
		}
		request.Headers.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	if request.Headers.Get("content-type") == "" {
		request.Headers.Add("content-type", mediaTypeOf(body))
	}
	batch, err := cloudevents.FromRequest(request, cloudevents.Options{MaxBytes: maxEventFile})
	if err != nil {
		return nil, fmt.Errorf("the event: %w", err)
	}
	var events []*keg.Event
	var errs []error
	for i, entry := range batch.Entries {
		if entry.Err != nil {
			errs = append(errs, fmt.Errorf("event %d: %w", i+1, entry.Err))
			continue
		}
		events = append(events, entry.Event)
	}
	return events, errors.Join(errs...)
}

func eventText(stdin io.Reader, argument string) ([]byte, error) {
	switch {
	case argument == "-":
		return io.ReadAll(io.LimitReader(stdin, maxEventFile))
	case strings.HasPrefix(strings.TrimSpace(argument), "{"), strings.HasPrefix(strings.TrimSpace(argument), "["):
		return []byte(argument), nil
	}
	text, err := os.ReadFile(argument)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%q is neither JSON nor a file", argument)
	}
	return text, err
}

// mediaTypeOf guesses what somebody who names no content type means by JSON.
func mediaTypeOf(body []byte) string {
	var list []struct {
		SpecVersion string `json:"specversion"`
	}
	if json.Unmarshal(body, &list) == nil && len(list) > 0 && list[0].SpecVersion != "" {
		return "application/cloudevents-batch+json"
	}
	var one struct {
		SpecVersion string `json:"specversion"`
	}
	if json.Unmarshal(body, &one) == nil && one.SpecVersion != "" {
		return "application/cloudevents+json"
	}
	return "application/json"
}

// explanation is what explain says of one event.
type explanation struct {
	ID        string           `json:"id"`
	Type      string           `json:"type"`
	Source    string           `json:"source"`
	Verdicts  []router.Verdict `json:"routes"`
	Unmatched string           `json:"unmatched,omitempty"` // what becomes of an event that nothing took
}

func explain(w io.Writer, output string, table *router.Table, events []*keg.Event) error {
	all := make([]explanation, 0, len(events))
	for _, e := range events {
		x := explanation{ID: e.ID, Type: e.Type, Source: e.Source, Verdicts: table.Explain(e)}
		if len(table.Match(e, nil)) == 0 {
			x.Unmatched = unmatchedPolicy(table.Unmatched())
		}
		all = append(all, x)
	}
	if output == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(all)
	}
	for i, x := range all {
		if i > 0 {
			_, _ = fmt.Fprintln(w)
		}
		printExplanation(w, x)
	}
	return nil
}

func printExplanation(w io.Writer, x explanation) {
	_, _ = fmt.Fprintf(w, "event %s: type %s, source %s\n", printable([]byte(x.ID)), printable([]byte(x.Type)), printable([]byte(x.Source)))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ROUTE\tTAKEN\tWHY")
	for _, v := range x.Verdicts {
		taken, why := "no", strings.TrimPrefix(v.String(), "not ")
		if v.Outcome == router.Taken {
			taken = "yes"
		}
		_, why, _ = strings.Cut(why, ": ")
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", v.Route, taken, why)
	}
	_ = table.Flush()
	for _, v := range x.Verdicts {
		printMade(w, v)
	}
	if x.Unmatched != "" {
		_, _ = fmt.Fprintf(w, "no route takes it: %s\n", x.Unmatched)
	}
}

// printMade prints what a route that takes the event makes of it.
func printMade(w io.Writer, v router.Verdict) {
	if v.Schema != nil {
		_, _ = fmt.Fprintf(w, "\n%s: %s\n", v.Route, v.Schema)
	}
	for _, t := range v.Transformed {
		_, _ = fmt.Fprintf(w, "\n%s -> %s:", v.Route, t.Destination)
		switch {
		case t.Error != "":
			_, _ = fmt.Fprintf(w, " cannot be transformed, so that every delivery fails for good: %s\n", printable([]byte(t.Error)))
		case len(t.Changes) == 0:
			_, _ = fmt.Fprintln(w, " the event as it is")
		default:
			_, _ = fmt.Fprintln(w)
			for _, c := range t.Changes {
				_, _ = fmt.Fprintf(w, "  %s\n", c)
			}
		}
	}
}

func unmatchedPolicy(u router.Unmatched) string {
	switch {
	case u.Reject:
		return "it is refused with 422 (unmatched: reject)"
	case len(u.Destinations) > 0:
		names := make([]string, len(u.Destinations))
		for i, d := range u.Destinations {
			names[i] = d.Name
		}
		return "it goes to " + strings.Join(names, ", ") + " (unmatched)"
	}
	return "it is counted and forgotten (unmatched: accept)"
}
