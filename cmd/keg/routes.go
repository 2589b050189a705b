package main

import (
	"github.com/spf13/cobra"
)

func routesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "routes",
		Short: "Check a routes file, or ask it which routes an event takes",
	}
	group(cmd)
	cmd.AddCommand(routesCheckCommand(), routesExplainCommand())
	return cmd
}
