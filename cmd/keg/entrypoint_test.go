//go:build !race

// What is tested here is a shell script; the race detector would find nothing, and
// makes the many short processes slow.

package main

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kong/keg/plugins"
)

func TestTheEntrypointTellsKongOfEveryPlugin(t *testing.T) {
	e := enter(t, sh, nil, "kong", "start", "--vv")
	saw := e.kong()
	if !slices.Equal(saw.Args, []string{"start", "--vv"}) {
		t.Errorf("kong %q", saw.Args)
	}
	socket := filepath.Join(e.dir, "keg", "keg.socket")
	names := strings.Join(plugins.Names(), ",")
	want := map[string]string{
		"KONG_PLUGINS": "bundled," + names, "KONG_PLUGINSERVER_NAMES": names, "KONG_DATABASE": "off",
		"KONG_NGINX_DAEMON": "off", "KONG_NGINX_HTTP_CLIENT_BODY_BUFFER_SIZE": "64k",
	}
	for _, name := range plugins.Names() {
		setting := "KONG_PLUGINSERVER_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		want[setting+"_SOCKET"] = socket
		want[setting+"_QUERY_CMD"] = filepath.Join(e.dir, "bin", "keg") + " plugin dump " + name
	}
	delete(saw.Env, "KONG_NGINX_WORKER_PROCESSES") // where this test's container has a limit
	for name, value := range saw.Env {
		if ours.MatchString(name) && want[name] != value {
			t.Errorf("%s=%s, want %s", name, value, want[name])
		}
		delete(want, name)
	}
	for name, value := range want {
		t.Errorf("no %s, want %s", name, value)
	}
}

func TestTheEntrypointKeepsWhatTheUserSays(t *testing.T) {
	const odd = `a b 'c' "d" $HOME $(e) \f; g #h`
	for name, test := range map[string]struct {
		env  []string
		want map[string]string // {set} stands for the plugins' names
	}{
		"plugins of one's own":       {[]string{"KONG_PLUGINS=bundled,my-plugin"}, map[string]string{"KONG_PLUGINS": "bundled,my-plugin,{set}"}},
		"with blanks":                {[]string{"KONG_PLUGINS=bundled, my-plugin"}, map[string]string{"KONG_PLUGINS": "bundled, my-plugin,{set}"}},
		"none of Kong's":             {[]string{"KONG_PLUGINS=off"}, map[string]string{"KONG_PLUGINS": "{set}"}},
		"the set already":            {[]string{"KONG_PLUGINS=key-auth, {set}"}, map[string]string{"KONG_PLUGINS": "key-auth, {set}"}},
		"a name that holds another":  {[]string{"KONG_PLUGINS=my-event-router"}, map[string]string{"KONG_PLUGINS": "my-event-router,{set}"}},
		"an empty list":              {[]string{"KONG_PLUGINS="}, map[string]string{"KONG_PLUGINS": "bundled,{set}"}},
		"another plugin server":      {[]string{"KONG_PLUGINSERVER_NAMES=mine", "KONG_PLUGINSERVER_MINE_START_CMD=/opt/mine -x"}, map[string]string{"KONG_PLUGINSERVER_NAMES": "mine,{set}", "KONG_PLUGINSERVER_MINE_START_CMD": "/opt/mine -x"}},
		"the Admin API for all":      {[]string{"KONG_ADMIN_LISTEN=0.0.0.0:8001"}, map[string]string{"KONG_ADMIN_LISTEN": "0.0.0.0:8001"}},
		"nginx's directives":         {[]string{"KONG_NGINX_PROXY_SET=" + odd, "KONG_NGINX_HTTP_CLIENT_BODY_BUFFER_SIZE=1m", "KONG_NGINX_WORKER_PROCESSES=7"}, map[string]string{"KONG_NGINX_PROXY_SET": odd, "KONG_NGINX_HTTP_CLIENT_BODY_BUFFER_SIZE": "1m", "KONG_NGINX_WORKER_PROCESSES": "7"}},
		"a database":                 {[]string{"KONG_DATABASE=postgres", "KONG_PG_PASSWORD=" + odd}, map[string]string{"KONG_DATABASE": "postgres", "KONG_PG_PASSWORD": odd, "KONG_DECLARATIVE_CONFIG": ""}},
		"a declarative file":         {[]string{"KONG_DECLARATIVE_CONFIG=/srv/k.yml"}, map[string]string{"KONG_DECLARATIVE_CONFIG": "/srv/k.yml"}},
		"a declarative text":         {[]string{"KONG_DECLARATIVE_CONFIG_STRING={}"}, map[string]string{"KONG_DECLARATIVE_CONFIG_STRING": "{}", "KONG_DECLARATIVE_CONFIG": ""}},
		"a socket elsewhere":         {[]string{"KEG_SOCKET=/tmp/elsewhere/keg.socket"}, map[string]string{"KONG_PLUGINSERVER_EVENT_ROUTER_SOCKET": "/tmp/elsewhere/keg.socket", "KEG_SOCKET": "/tmp/elsewhere/keg.socket"}},
		"a variable of neither side": {[]string{"KAFKA_PASSWORD=" + odd}, map[string]string{"KAFKA_PASSWORD": odd}},
	} {
		t.Run(name, func(t *testing.T) {
			set := strings.Join(plugins.Names(), ",")
			for i := range test.env {
				test.env[i] = strings.ReplaceAll(test.env[i], "{set}", set)
			}
			e := enter(t, sh, test.env, "kong", "reload") // which needs the same settings, and no keg
			if status := e.wait(); status != 0 || strings.Contains(e.said(), "keg serves") {
				t.Fatalf("exit status %d: %s", status, e.said())
			}
			saw := e.saw()
			for name, want := range test.want {
				if want = strings.ReplaceAll(want, "{set}", set); saw.Env[name] != want {
					t.Errorf("%s=%s, want %s", name, saw.Env[name], want)
				}
			}
		})
	}
}

// TestTheEntrypointsKongTakesEvents: what the two commands of the issue set, with
// the stand-in as Kong, configured by the same variables.
func TestTheEntrypointsKongTakesEvents(t *testing.T) {
	to := newCollector(t).on(t)
	config, err := filepath.Abs("../../kong/kong.yml")
	do(t, err)
	dir, err := os.MkdirTemp("", "keg")
	do(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	proxy, source := newSwitchedServer(t).address, newSwitchedServer(t).address
	file := filepath.Join(dir, `routes of "a" $HOME 'b'.yaml`)
	write(t, file, `routes: [{name: all, match: {}, destinations: [{type: http, address: "http://${COLLECTOR}/"}]}]`)
	e := enter(t, sh, []string{
		"KONG_PROXY_LISTEN=" + proxy, "KONG_DECLARATIVE_CONFIG=" + config,
		"KEG_ROUTE_CONFIG=" + file, "COLLECTOR=" + to.address, "KEG_EVENT_SOURCES=http:" + source,
		"KEG_PERSISTENCE_ENABLE=true", "KEG_PERSISTENCE_URL=file://" + dir + "/store",
	}, "kong", "start")
	e.kong()
	for id, url := range map[string]string{"through-kong": "http://" + proxy + "/events", "from-source": "http://" + source} {
		if status, answer, _ := trySend(http.DefaultClient, url, orderEvent(id)); status != http.StatusAccepted {
			t.Errorf("%s: %d %s", url, status, answer)
		}
	}
	arrive(t, []string{"through-kong", "from-source"}, to.all)
	if status := e.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

func TestTheEntrypointRefusesWhatCannotWork(t *testing.T) {
	for name, test := range map[string]struct {
		env  []string
		said string
	}{
		"sources":                      {[]string{"KEG_EVENT_SOURCES=ftp:21"}, "KEG_EVENT_SOURCES"},
		"routes that are not there":    {[]string{"KEG_ROUTE_CONFIG=/nowhere/routes.yaml"}, `KEG_ROUTE_CONFIG="/nowhere/routes.yaml"`},
		"persistence":                  {[]string{"KEG_PERSISTENCE_ENABLE=perhaps"}, "must be true or false"},
		"attempts":                     {[]string{"KEG_RETRY_MAX_ATTEMPTS=$(id)"}, `KEG_RETRY_MAX_ATTEMPTS="$(id)"`},
		"a socket with a blank":        {[]string{"KEG_SOCKET=/tmp/a b/keg.socket"}, "KEG_SOCKET=/tmp/a b/keg.socket"},
		"a socket for a shell":         {[]string{"KEG_SOCKET=/tmp/$(touch x)"}, "letters, digits"},
		"a socket somewhere":           {[]string{"KEG_SOCKET=keg.socket"}, "is no absolute path"},
		"a keg that Kong starts":       {[]string{"KONG_PLUGINSERVER_EVENT_ROUTER_START_CMD=keg serve"}, "KONG_PLUGINSERVER_EVENT_ROUTER_START_CMD"},
		"a Kong that goes away":        {[]string{"KONG_NGINX_DAEMON=on"}, "KONG_NGINX_DAEMON=on"},
		"a keg that cannot be started": {[]string{"PATH=/nowhere:/usr/bin:/bin"}, "is keg in PATH"},
	} {
		t.Run(name, func(t *testing.T) {
			e := enter(t, sh, test.env, "kong", "start")
			if status := e.wait(); status != exitUsage || !strings.Contains(e.said(), test.said) {
				t.Errorf("exit status %d, without %q: %s", status, test.said, e.said())
			}
			if _, err := os.Stat(e.record()); err == nil {
				t.Error("Kong was started all the same")
			}
		})
	}
}

// TestTheEntrypointInTheImage: with the image's files, the container's limit, and
// an entrypoint of Kong's own that removes the sockets in its prefix, as Kong's does.
func TestTheEntrypointInTheImage(t *testing.T) {
	dir := t.TempDir()
	text := readFileText(t, entrypoint)
	for path, content := range map[string]string{
		"/etc/kong/kong.yml":     "",
		"/sys/fs/cgroup/cpu.max": "150000 100000\n",
		"/docker-entrypoint.sh":  "#!/bin/sh\n[ \"$1 $2\" = \"kong docker-start\" ] || exit 9\nfor f in \"$KONG_PREFIX\"/*; do [ ! -S \"$f\" ] || rm \"$f\"; done\nexec kong start\n",
	} {
		file := filepath.Join(dir, filepath.Base(path))
		do(t, os.WriteFile(file, []byte(content), 0o700))
		text = strings.ReplaceAll(text, path, file)
	}
	script := filepath.Join(dir, "keg-entrypoint")
	do(t, os.WriteFile(script, []byte(text), 0o700))
	e := enterFrom(t, script, sh, nil) // as without a command
	saw := e.kong()
	for name, want := range map[string]string{"KONG_DECLARATIVE_CONFIG": filepath.Join(dir, "kong.yml"), "KONG_NGINX_WORKER_PROCESSES": "2"} {
		if saw.Env[name] != want {
			t.Errorf("%s=%s, want %s", name, saw.Env[name], want)
		}
	}
	if status := e.stop(); status != 0 || !strings.Contains(e.said(), "the plugins were there") {
		t.Errorf("exit status %d", status)
	}
}
