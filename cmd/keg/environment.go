package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// variable is one setting that the environment can give. A flag of the command
// line wins over the variable, the variable over the default.
type variable struct {
	name     string // KEG_ROUTE_CONFIG
	flag     string // routes
	fallback string
	help     string
	commands []string // the commands whose flag it is
}

// environment lists every variable that keg reads, in the order of its help.
var environment = []variable{
	{"KEG_ROUTE_CONFIG", "routes", "", "the routes file (without it: " + defaultRoutes + " where it exists; for keg dev, its own kong/routes.yaml)", []string{"serve", "dev"}},
	{"KEG_EVENT_SOURCES", "event-sources", "", "where events come from beside Kong, as protocol:address[,protocol:address], such as http:8080,kafka:9092,mqtt:1883", []string{"serve", "dev"}},
	{"KEG_RETRY_MAX_ATTEMPTS", "retry-max-attempts", "3", "how often a delivery is tried in all, the first attempt included", []string{"serve", "dev"}},
	{"KEG_MAX_EVENT_BYTES", "max-event-bytes", "1MiB", "the largest event that is taken", []string{"serve", "dev"}},
	{"KEG_MAX_IN_FLIGHT", "max-in-flight", "10000", "how many deliveries may be under way at once before senders hear 503", []string{"serve", "dev"}},
	{"KEG_PERSISTENCE_ENABLE", "persistence-enable", "false", "keep what was accepted until it is delivered: true or false", []string{"serve", "dev"}},
	{"KEG_PERSISTENCE_URL", "persistence-url", "file:///var/lib/keg", "where it is kept: file:///folder (for keg dev, ./keg-data), or postgres://user:password@host/database", []string{"serve", "dev", "deadletters"}},
	{"KEG_PERSISTENCE_MAX_BYTES", "persistence-max-bytes", "0", "the most that the embedded store may take on disk, such as 10GiB, before senders hear 503; 0: no bound", []string{"serve", "dev"}},
	{"KEG_STATUS_LISTEN", "status-listen", "127.0.0.1:8090", "where health, metrics and dead letters are served, as host:port, or off", []string{"serve", "dev", "health", "deadletters"}},
	{"KEG_SOCKET", "socket", "", "the plugin server's unix socket (KONG_PREFIX/keg.socket; keg dev makes one of its own)", []string{"serve", "dev", "dump"}},
	{"KEG_LOG_LEVEL", "log-level", "info", "debug, info, warn or error", []string{"serve", "dev"}},
	{"KEG_LOG_FORMAT", "log-format", "auto", "text, json, or auto: text on a terminal, JSON elsewhere", []string{"serve", "dev"}},
	{"KONG_PROXY_LISTEN", "proxy-listen", "127.0.0.1:8000", "where keg dev's stand-in for Kong takes requests, in Kong's listen syntax, or off", []string{"dev"}},
	{"KONG_ADMIN_LISTEN", "admin-listen", "127.0.0.1:8001", "where its Admin API listens, in Kong's listen syntax, or off", []string{"dev"}},
	{"KONG_PREFIX", "", "/usr/local/kong", "Kong's prefix directory, where the socket lies by default", nil},
}

// settings are the values of one command's variables, by flag name.
type settings map[string]*settingValue

// settingValue remembers where a setting came from, so that a complaint about it
// can name the flag or the variable.
type settingValue struct{ flag, text, origin string }

func (v *settingValue) String() string { return v.text }
func (v *settingValue) Type() string   { return "string" }
func (v *settingValue) Set(text string) error {
	v.text, v.origin = text, "--"+v.flag
	return nil
}

// bind gives the command a flag for each variable that is its own.
func bind(flags *pflag.FlagSet, command string) settings {
	bound := settings{}
	for _, v := range environment {
		if !v.belongsTo(command) {
			continue
		}
		value := &settingValue{flag: v.flag, text: v.fallback, origin: "--" + v.flag}
		if text, ok := os.LookupEnv(v.name); ok && text != "" {
			value.text, value.origin = text, v.name
		}
		bound[v.flag] = value
		flags.Var(value, v.flag, fmt.Sprintf("%s (%s)", v.help, v.name))
		flags.Lookup(v.flag).DefValue = v.fallback
		if v.fallback == "false" { // a switch: the flag alone turns it on
			flags.Lookup(v.flag).NoOptDefVal = "true"
		}
	}
	return bound
}

func (v variable) belongsTo(command string) bool {
	return slices.Contains(v.commands, command)
}

// fallbackOf is the default of a flag's variable.
func fallbackOf(flag string) string {
	for _, v := range environment {
		if v.flag == flag {
			return v.fallback
		}
	}
	return ""
}

// text returns a setting as it was given.
func (s settings) text(flag string) string { return s[flag].text }

// parse reads a setting with read, and adds to a failure which setting it was.
func parse[T any](s settings, flag string, read func(string) (T, error)) (T, error) {
	value, err := read(s[flag].text)
	if err != nil {
		err = fmt.Errorf("%s=%q: %w", s[flag].origin, s[flag].text, unwrapNumError(err))
	}
	return value, err
}

// unwrapNumError drops strconv's repetition of the text.
func unwrapNumError(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

func environmentHelp() *cobra.Command {
	help := &cobra.Command{
		Use:   "environment",
		Short: "Every environment variable that keg reads",
	}
	help.SetHelpFunc(func(cmd *cobra.Command, _ []string) { printEnvironment(cmd.OutOrStdout()) })
	return help
}

func printEnvironment(w io.Writer) {
	_, _ = fmt.Fprint(w, "keg reads these environment variables. A flag wins over its variable, a variable over the default.\n\n")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "VARIABLE\tFLAG\tDEFAULT\tMEANING")
	for _, v := range environment {
		flag, fallback := v.flag, v.fallback
		if flag != "" {
			flag = "--" + flag
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", v.name, flag, fallback, v.help)
	}
	_ = table.Flush()
}
