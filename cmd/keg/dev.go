package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
)

// devConfig is what a first look is made of, beside the node's own settings:
// listen addresses, or "off", and the stand-in's configuration file.
type devConfig struct {
	kafka, mqtt, webhook, httpSource string
	kongConfig                       string
	adminWritable                    bool
}

func devCommand() *cobra.Command {
	var c devConfig
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "A first look: the gateway with everything around it, in one process",
		Long: `Start, in one process, all that a first look needs: a stand-in for Kong that reads
kong.yml and drives the plugin server over the real socket, an in-memory Kafka, an
MQTT broker, and a webhook receiver that prints what it is sent. Nothing is kept,
unless KEG_PERSISTENCE_ENABLE=true has what was accepted kept in ./keg-data until
it is delivered.

This is for development: production runs Kong itself, and "keg serve" beside it.`,
		Example: `  keg dev
  KEG_PERSISTENCE_ENABLE=true keg dev
  keg dev --routes my-routes.yaml --kafka-listen off
  keg dev --proxy-listen 127.0.0.1:18000 --admin-listen off
  keg dev --admin-writable`,
		Args: noArguments,
	}
	s := bind(cmd.Flags(), "dev")
	listen := func(to *string, flag, fallback, what string) {
		cmd.Flags().StringVar(to, flag, fallback, "where "+what+" listens, or off")
	}
	listen(&c.kafka, "kafka-listen", "127.0.0.1:9092", "the in-memory Kafka")
	listen(&c.mqtt, "mqtt-listen", "127.0.0.1:1883", "the MQTT broker")
	listen(&c.webhook, "webhook-listen", "127.0.0.1:8070", "the webhook receiver")
	listen(&c.httpSource, "http-source-listen", "off", "KEG's own HTTP source")
	cmd.Flags().StringVar(&c.kongConfig, "kong-config", "", "the stand-in's declarative configuration (kong/kong.yml in KEG's own tree, else the embedded one)")
	cmd.Flags().BoolVar(&c.adminWritable, "admin-writable", false, "let the stand-in's Admin API create, change and delete entities, in memory; else it refuses as Kong without a database does")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return runDev(cmd.Context(), s, c, cmd.OutOrStdout())
	}
	return cmd
}

// listening runs start unless the address is "off", and turns its failure into
// one that says which flag to change.
func listening(flag, address string, start func(address string) error) error {
	if address == "off" {
		return nil
	}
	if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
		return misuse(fmt.Errorf("--%s=%q: write HOST:PORT, such as 127.0.0.1:9092, or off", flag, address))
	}
	err := start(address)
	switch {
	case err == nil:
		return nil
	case unusable(err):
		return misuse(fmt.Errorf("%w\nChoose another address with --%s HOST:PORT, or leave it out with --%s off", err, flag, flag))
	}
	return misuse(fmt.Errorf("--%s=%s: %w", flag, address, err))
}

// unusable reports whether err says that an address cannot be listened on, though
// another may.
func unusable(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EADDRNOTAVAIL)
}

// treeOrEmbedded is a file of KEG's own tree when keg runs in it, else the copy
// in the binary, and what to call it in messages.
func treeOrEmbedded(name string, embedded []byte) (called string, text []byte) {
	path := filepath.Join("kong", name)
	if inTree() {
		if text, err := os.ReadFile(path); err == nil {
			return path, text
		}
	}
	return path + " (embedded)", embedded
}

// inTree reports whether keg runs in KEG's own tree.
func inTree() bool {
	_, err := os.Stat("cmd/keg/main.go")
	return err == nil
}

// whatToType is how the one who started this keg starts another.
func whatToType() string {
	if inTree() {
		return "go run ./cmd/keg"
	}
	return "keg"
}
