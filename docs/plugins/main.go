// Command plugins writes the tables of fields in this folder's pages, one page a
// plugin, from the schemas that Kong gets of them:
//
//	go generate ./docs/plugins
//
// A table stands between two marks; everything else of a page is written by hand.
// The package's test fails where a committed page is not what this makes.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/kong/keg/kong/schema"
	"github.com/kong/keg/kong/server"
	"github.com/kong/keg/plugins"
	"github.com/kong/keg/router"
	"github.com/kong/keg/sinks"
)

//go:generate go run .

const (
	begin = "<!-- What follows is made by `go generate ./docs/plugins`. -->\n"
	end   = "<!-- What was made ends here. -->\n"
)

func main() {
	var failed error
	for _, p := range served() {
		path := p.Name + ".md"
		page, err := os.ReadFile(path)
		var made string
		if err == nil {
			made, err = renew(string(page), p)
		}
		if err == nil && made != string(page) {
			err = os.WriteFile(path, []byte(made), 0o644)
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", path, err))
		}
	}
	if failed != nil {
		fmt.Fprintln(os.Stderr, failed)
		os.Exit(1)
	}
}

// served are the plugins, as Kong is told of them.
func served() []server.Plugin {
	return plugins.All(plugins.Options{Version: "1.0.0", Routes: router.Options{Types: sinks.Types()}})
}

// renew returns the page of a plugin with its table made anew.
func renew(page string, p server.Plugin) (string, error) {
	before, rest, ok := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", fmt.Errorf("has not both marks:\n%s%s", begin, end)
	}
	described, err := schema.Of(p.Name, p.Config())
	if err != nil {
		return "", err
	}
	return before + begin + "\n" + facts(p) + "\n" + table(described) + "\n" + end + after, nil
}

// facts is what Kong knows of a plugin beside its config.
func facts(p server.Plugin) string {
	phases := make([]string, len(p.Phases))
	for i, phase := range p.Phases {
		phases[i] = "`" + string(phase) + "`"
	}
	return fmt.Sprintf("Priority %d; phases: %s.\n", p.Priority, strings.Join(phases, ", "))
}
