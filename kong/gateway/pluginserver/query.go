package pluginserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Protocol is the protocol that this package speaks, as a query command names it.
const Protocol = "ProtoBuf:1"

// Phases are those that a plugin may have.
var Phases = []string{"certificate", "rewrite", "access", "response", "preread", "log"}

// Info is what a query command prints of one plugin.
type Info struct {
	Name     string
	Version  string
	Priority *int
	Phases   []string
	Schema   json.RawMessage
}

// queryTimeout bounds a query command; Kong would wait for ever.
const queryTimeout = 30 * time.Second

// maxDump is the most that a query command may print.
const maxDump = 16 << 20

// Query runs a plugin server's query command and reads what it prints as Kong
// does: one JSON document and nothing else, whose first plugin is the one that
// counts. What the command writes to standard error is logged.
func Query(ctx context.Context, name string, command []string, log *slog.Logger) (*Info, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.WaitDelay = time.Second
	cmd.Env = os.Environ()
	var output, stderr bytes.Buffer
	cmd.Stdout = &limited{w: &output, left: maxDump}
	cmd.Stderr = &limited{w: &stderr, left: maxDump}
	err := cmd.Run()
	for line := range strings.Lines(stderr.String()) {
		log.Info(strings.TrimRight(line, "\r\n"), "plugin_server", name)
	}
	info, problem := ReadDump(name, output.Bytes())
	switch {
	case problem == nil:
		return info, nil // Kong does not look at the exit status
	case err != nil:
		return nil, fmt.Errorf("the query command of plugin server %s, %s: %w", name, strings.Join(command, " "), errors.Join(err, problem))
	default:
		return nil, fmt.Errorf("the query command of plugin server %s, %s: %w", name, strings.Join(command, " "), problem)
	}
}

// ReadDump reads what a query command printed for the plugin server of that name.
func ReadDump(name string, text []byte) (*Info, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	var dump struct {
		Protocol   string
		SocketPath string
		Plugins    []*Info
	}
	if err := decoder.Decode(&dump); err != nil {
		return nil, fmt.Errorf("printed no JSON document that tells of its plugins, but %s: %w", excerpt(text), err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("printed more than one JSON document; its standard output must hold nothing else, log lines go to standard error")
	}
	if dump.Protocol != Protocol {
		return nil, fmt.Errorf("speaks the protocol %q; the stand-in speaks %q only", dump.Protocol, Protocol)
	}
	if len(dump.Plugins) == 0 || dump.Plugins[0] == nil {
		return nil, errors.New("tells of no plugin")
	}
	info := dump.Plugins[0]
	var problems []error
	missing := func(field string) { problems = append(problems, fmt.Errorf("its plugin has no %s", field)) }
	switch {
	case info.Name == "":
		missing("Name")
	case info.Name != name:
		problems = append(problems, fmt.Errorf("its plugin is named %q, not %q as the plugin server", info.Name, name))
	}
	if info.Version == "" {
		missing("Version")
	}
	if info.Priority == nil {
		missing("Priority")
	}
	if len(info.Phases) == 0 {
		missing("Phases")
	}
	if len(info.Schema) == 0 {
		missing("Schema")
	}
	for _, phase := range info.Phases {
		if !slices.Contains(Phases, phase) {
			problems = append(problems, fmt.Errorf("%q is none of Kong's phases (%s)", phase, strings.Join(Phases, ", ")))
		}
	}
	return info, errors.Join(problems...)
}

// excerpt quotes the beginning of what a command printed.
func excerpt(text []byte) string {
	if len(text) > 80 {
		return fmt.Sprintf("%q…", text[:80])
	}
	return fmt.Sprintf("%q", text)
}

// limited fails a writer that writes more than is left.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return 0, errors.New("too much output")
	}
	l.left -= len(p)
	return l.w.Write(p)
}
