package kong_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kong/keg/kong"
)

// settings reads a kong.conf as Kong does: the last line of a name counts, and
// what stands behind a # is none of it.
func settings(t *testing.T, conf string) map[string]string {
	t.Helper()
	read := map[string]string{}
	for line := range strings.Lines(conf) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || value == "" || !regexp.MustCompile(`^[a-z_0-9]+$`).MatchString(name) {
			t.Fatalf("%q is no setting", line)
		}
		if _, twice := read[name]; twice {
			t.Errorf("%s is set twice", name)
		}
		read[name] = value
	}
	return read
}

func TestKongConfIsOneProcessForAllPlugins(t *testing.T) {
	conf := settings(t, string(kong.Conf))
	names := strings.Split(conf["pluginserver_names"], ",")
	if enabled := strings.Split(conf["plugins"], ","); !slices.Equal(enabled, append([]string{"bundled"}, names...)) {
		t.Errorf("plugins = %q, pluginserver_names = %q", enabled, names)
	}
	socket, starts := conf["pluginserver_event_router_socket"], 0
	for _, name := range names {
		prefix := "pluginserver_" + strings.ReplaceAll(name, "-", "_")
		if got := conf[prefix+"_socket"]; got != socket || socket == "" {
			t.Errorf("%s has the socket %q of its own", name, got)
		}
		if query := conf[prefix+"_query_cmd"]; query != "/usr/local/bin/keg plugin dump "+name {
			t.Errorf("%s is asked by %q", name, query)
		}
		if _, ok := conf[prefix+"_start_cmd"]; ok {
			starts++
		}
		for _, setting := range []string{"_socket", "_query_cmd", "_start_cmd"} {
			delete(conf, prefix+setting)
		}
	}
	if starts != 1 {
		t.Errorf("%d start commands: Kong would start as many processes on one socket", starts)
	}
	delete(conf, "pluginserver_names")
	for setting := range conf {
		if strings.HasPrefix(setting, "pluginserver_") {
			t.Errorf("%s is of no name in pluginserver_names", setting)
		}
	}
}
