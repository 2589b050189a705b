package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// outputFlag gives a command its --output: text for people, json for programs.
func outputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "text", "text or json")
}

func checkOutput(output string) error {
	if output != "text" && output != "json" {
		return misuse(fmt.Errorf("--output=%q: text and json are known", output))
	}
	return nil
}

// noArguments and someArguments are cobra's checks with our exit status.
func noArguments(cmd *cobra.Command, args []string) error {
	return misuse(cobra.NoArgs(cmd, args))
}

func arguments(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return misuse(fmt.Errorf("%s takes %d arguments, not %d\nUsage: %s", cmd.CommandPath(), n, len(args), cmd.UseLine()))
	}
}
