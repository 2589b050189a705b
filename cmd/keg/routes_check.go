package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kong/keg"
	"github.com/kong/keg/hub"
	"github.com/kong/keg/router"
	"github.com/kong/keg/sinks"
)

// fileReport is what a check says of one file.
type fileReport struct {
	File         string         `json:"file"`
	Valid        bool           `json:"valid"`
	Routes       int            `json:"routes"`
	Disabled     int            `json:"disabled"`
	Destinations map[string]int `json:"destinations,omitempty"` // by type
	Ordered      int            `json:"ordered,omitempty"`
	Schemas      int            `json:"schemas,omitempty"`
	Transforms   int            `json:"transforms,omitempty"`
	Sources      map[string]int `json:"sources,omitempty"` // by type
	Errors       []fileError    `json:"errors,omitempty"`
}

// fileError is one thing wrong with a file, at its place.
type fileError struct {
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Path    string `json:"path,omitempty"`
	Problem string `json:"problem"`
}

func routesCheckCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "Say everything that is wrong with a routes file",
		Long: `Say everything that is wrong with a routes file, each mistake with its place and
the nearest known key, or count what a good one holds. Variables and files that
it names must be there, as when a node starts with it. Nothing is dialled.
The exit status is 2 if any file is wrong.`,
		Example: `  keg routes check routes.yaml
  keg routes check *.yaml --output json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return wrongArguments(cmd, "takes the files to check")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			return checkRoutes(cmd.OutOrStdout(), output, args)
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func checkRoutes(w io.Writer, output string, files []string) error {
	wrong := 0
	reports := make([]fileReport, 0, len(files))
	for _, file := range files {
		report, err := checkFile(file)
		if err != nil {
			wrong++
		}
		reports = append(reports, report)
		if output == "text" {
			printReport(w, report, err)
		}
	}
	if output == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(reports); err != nil {
			return err
		}
	}
	if wrong > 0 {
		return misuse(fmt.Errorf("%d of %s wrong", wrong, counted(len(files), "file")))
	}
	return nil
}

func checkFile(file string) (fileReport, error) {
	report := fileReport{File: file}
	var wrong []error
	table, err := router.Load(file, routerOptions(3))
	if err != nil {
		report.Errors = fileErrors(err)
		return report, err
	}
	for _, err := range keg.Problems(canOpen(table)) {
		report.Errors = append(report.Errors, fileError{Problem: err.Error()})
		wrong = append(wrong, fmt.Errorf("%s: %w", file, err))
	}
	if len(wrong) > 0 {
		return report, errors.Join(wrong...)
	}
	summary := table.Summary()
	report.Valid = true
	report.Routes, report.Disabled, report.Destinations = summary.Routes, summary.Disabled, summary.Destinations
	report.Ordered, report.Schemas, report.Transforms, report.Sources = summary.Ordered, summary.Schemas, summary.Transforms, summary.Sources
	return report, nil
}

// canOpen reports every destination of a table that could not be opened when a
// node starts with it: for a certificate that is not there, say. It dials
// nothing.
func canOpen(table *router.Table) error {
	pool := sinks.NewPool(slog.New(slog.DiscardHandler))
	h := hub.New(hub.Options{Sinks: pool})
	err := h.SetTable(table)
	return errors.Join(err, h.Close(context.Background()), pool.Close())
}

func fileErrors(err error) (all []fileError) {
	var places router.Errors
	if !errors.As(err, &places) {
		return []fileError{{Problem: err.Error()}}
	}
	for _, e := range places {
		all = append(all, fileError{e.Line, e.Column, e.Path, e.Problem})
	}
	return all
}

func printReport(w io.Writer, report fileReport, err error) {
	if err != nil {
		_, _ = fmt.Fprintln(w, err)
		return
	}
	text := fmt.Sprintf("%s: good: %s (%d disabled)", report.File, counted(report.Routes, "route"), report.Disabled)
	text += byType("destinations", report.Destinations)
	for _, c := range []struct {
		number int
		what   string
	}{{report.Ordered, "ordered route"}, {report.Schemas, "schema"}, {report.Transforms, "transform"}} {
		if c.number > 0 {
			text += "; " + counted(c.number, c.what)
		}
	}
	_, _ = fmt.Fprintln(w, text+byType("sources", report.Sources))
}

func byType(what string, numbers map[string]int) string {
	text := ""
	for i, kind := range slices.Sorted(maps.Keys(numbers)) {
		separator := ", "
		if i == 0 {
			separator = "; " + what + ": "
		}
		text += fmt.Sprintf("%s%d %s", separator, numbers[kind], kind)
	}
	return text
}
