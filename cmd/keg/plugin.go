package main

import (
	"encoding/json"
	"fmt"
	"io"
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
	cmd.AddCommand(dump, pluginListCommand())
	return cmd
}

func pluginListCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Print the plugins that this keg serves",
		Long: `Print the names of the plugins that this keg serves, one a line; as json, an
array of what Kong is told of each: name, version, priority and phases. Whatever
configures Kong takes the names from here (the image's entrypoint does).`,
		Args: noArguments,
	}
	outputFlag(cmd, &output)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkOutput(output); err != nil {
			return err
		}
		return listPlugins(cmd.OutOrStdout(), output)
	}
	return cmd
}

// listedPlugin is one entry of `keg plugin list --output json`.
type listedPlugin struct {
	Name     string         `json:"name"`
	Version  string         `json:"version"`
	Priority int            `json:"priority"`
	Phases   []server.Phase `json:"phases"`
}

func listPlugins(w io.Writer, output string) error {
	if output == "text" {
		_, err := fmt.Fprintln(w, strings.Join(plugins.Names(), "\n"))
		return err
	}
	var listed []listedPlugin
	for _, p := range plugins.All(plugins.Options{Version: pluginVersion()}) {
		listed = append(listed, listedPlugin{p.Name, p.Version, p.Priority, p.Phases})
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(listed)
}
