package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kong/keg/kong/server"
	"github.com/kong/keg/plugins"
)

func pluginCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "plugin", Short: "What Kong asks about KEG's plugins"}
	group(cmd)
	dump := &cobra.Command{
		Use:   "dump NAME",
		Short: "Print what Kong's query command must: one plugin and its config schema",
		Long: `Print the one JSON document that Kong reads of a plugin server's query command:
the plugin's name, version, priority, phases and config schema. kong.conf:

  pluginserver_event_router_query_cmd = /usr/local/bin/keg plugin dump event-router

Plugins: ` + strings.Join(plugins.Names(), ", "),
		Args: arguments(1),
	}
	s := bind(dump.Flags(), "dump")
	dump.RunE = func(cmd *cobra.Command, args []string) error {
		plugin, ok := plugins.ByName(args[0], plugins.Options{Version: pluginVersion(), Routes: routerOptions(1)})
		if !ok {
			return misuse(fmt.Errorf("there is no plugin %q; there are: %s", args[0], strings.Join(plugins.Names(), ", ")))
		}
		socket := s.text("socket")
		if socket == "" {
			socket = defaultSocket()
		}
		document, err := server.Dump(plugin, socket)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", document)
		return err
	}
	cmd.AddCommand(dump)
	return cmd
}
