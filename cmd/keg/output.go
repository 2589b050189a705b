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

// noArguments and arguments are cobra's checks in our words, with our exit status.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return wrongArguments(cmd, fmt.Sprintf("takes no arguments, and %q is one", args[0]))
}

func arguments(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return wrongArguments(cmd, fmt.Sprintf("takes %s, not %d", counted(n, "argument"), len(args)))
	}
}

func wrongArguments(cmd *cobra.Command, problem string) error {
	return misuse(fmt.Errorf("%s %s\nUsage: %s\nSee \"%[1]s --help\"", cmd.CommandPath(), problem, cmd.UseLine()))
}

// counted is "1 route" or "2 routes".
func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
