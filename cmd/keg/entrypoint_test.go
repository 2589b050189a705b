//go:build !race

// What is tested here is a shell script; the race detector would find nothing, and
// makes the many short processes slow.

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/kong/keg/plugins"
)

// The image's entrypoint, run with this keg and a `kong` that records what it is
// given (entrypoint_kong_test.go).

const entrypoint = "../../kong/docker-entrypoint.sh"

// entry is one run of it.
type entry struct {
	*process
	dir string // Kong's prefix, and where the record is
}

// enter starts the entrypoint in a shell with these variables and no others but
// those that every program has.
func enter(t *testing.T, shell []string, env []string, args ...string) *entry {
	t.Helper()
	dir, err := os.MkdirTemp("", "keg")
	do(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	bin := filepath.Join(dir, "bin")
	do(t, os.Mkdir(bin, 0o700))
	self, err := filepath.Abs(os.Args[0])
	do(t, err)
	for name, be := range map[string]string{"keg": beKeg, "kong": beKong} {
		do(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\necho $$ >\"$KONG_PREFIX/"+name+".pid\"\nexec env "+be+"=1 '"+self+"' \"$@\"\n"), 0o700))
	}
	script, err := filepath.Abs(entrypoint)
	do(t, err)
	e := &entry{&process{t: t, ended: make(chan error, 1)}, dir}
	e.cmd = exec.Command(shell[0], slices.Concat(shell[1:], []string{script}, args)...)
	e.cmd.Dir = dir
	e.cmd.Env = append([]string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + dir, "KONG_PREFIX=" + dir,
		"KONG_SAW=" + e.record(), "KEG_STATUS_LISTEN=off", "KEG_LOG_FORMAT=text"}, env...)
	// A group of its own, so that nothing of it outlives the test.
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	reader, writer, err := os.Pipe()
	do(t, err)
	e.cmd.Stdout, e.cmd.Stderr = writer, writer
	do(t, e.cmd.Start())
	writer.Close()
	go func() {
		for lines := bufio.NewScanner(reader); lines.Scan(); {
			e.mu.Lock()
			e.output.WriteString(lines.Text() + "\n")
			e.mu.Unlock()
		}
		e.ended <- e.cmd.Wait() // when all who can write have ended
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-e.cmd.Process.Pid, syscall.SIGKILL)
		if t.Failed() {
			t.Logf("the entrypoint said:\n%s", e.said())
		}
	})
	return e
}

func (e *entry) record() string { return filepath.Join(e.dir, "saw.json") }

// kong waits until Kong has been started, and returns what it was given.
func (e *entry) kong() kongSaw {
	e.t.Helper()
	e.until("kong: started")
	return e.saw()
}

func (e *entry) saw() (saw kongSaw) {
	e.t.Helper()
	text, err := os.ReadFile(e.record())
	do(e.t, err)
	do(e.t, json.Unmarshal(text, &saw))
	return saw
}

var (
	sh = []string{"sh"}
	// The settings that Kong has from the entrypoint alone.
	ours = regexp.MustCompile(`^KONG_(PLUGINS|PLUGINSERVER_.*|DATABASE|DECLARATIVE_CONFIG|NGINX_.*)$`)
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

func TestTheEntrypointRunsOtherProgramsAsTheyAre(t *testing.T) {
	e := enter(t, sh, nil, "sh", "-c", `echo "$1 ${KONG_PLUGINS:-unset}"; exit 5`, "sh", "a  b")
	if status := e.wait(); status != 5 || e.said() != "a  b unset\n" {
		t.Errorf("exit status %d: %s", status, e.said())
	}
}

func TestTheEntrypointEndsAsKongDoes(t *testing.T) {
	e := enter(t, sh, []string{"KONG_ENDS_WITH=3"}, "kong", "start")
	if status := e.wait(); status != 3 || !strings.Contains(e.said(), "keg has stopped") {
		t.Errorf("exit status %d: %s", status, e.said())
	}
}

func TestTheEntrypointStartsAKegThatDiedAgain(t *testing.T) {
	e := enter(t, sh, nil, "kong", "start")
	e.kong()
	for range 2 {
		text, err := os.ReadFile(filepath.Join(e.dir, "keg.pid"))
		do(t, err)
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		do(t, err)
		do(t, syscall.Kill(pid, syscall.SIGKILL))
		e.until("keg ended with status 137, and is started again")
		e.until("keg serves")
	}
	if status := e.stop(); status != 0 || !strings.Contains(e.said(), "kong: the last request ended") {
		t.Errorf("exit status %d", status)
	}
}

// TestTheEntrypointDrainsBoth: Kong hears first and has keg until its end, keg
// hears then and ends as told, and nothing is left.
func TestTheEntrypointDrainsBoth(t *testing.T) {
	for _, shell := range [][]string{{"dash"}, {"bash", "--posix"}} {
		if _, err := exec.LookPath(shell[0]); err != nil {
			t.Fatal(err)
		}
		for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
			t.Run(shell[0]+" "+signal.String(), func(t *testing.T) {
				e := enter(t, shell, nil, "kong", "start")
				e.kong()
				do(t, e.cmd.Process.Signal(signal))
				e.until("Kong's requests end first")
				e.until("kong: the last request ended, and the plugins were there")
				e.until("keg stops")
				e.until("keg has stopped")
				if status := e.wait(); status != 0 {
					t.Errorf("exit status %d", status)
				}
				if err := syscall.Kill(-e.cmd.Process.Pid, 0); !errors.Is(err, syscall.ESRCH) {
					t.Errorf("something is left of its processes: %v", err)
				}
			})
		}
	}
}

func TestTheEntrypointStopsBeforeThereIsAKong(t *testing.T) {
	// A pipe for a routes file holds keg up before it listens.
	pipe := filepath.Join(t.TempDir(), "routes.yaml")
	do(t, syscall.Mkfifo(pipe, 0o600))
	e := enter(t, sh, []string{"KEG_ROUTE_CONFIG=" + pipe}, "kong", "start")
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0) // returns when keg reads
	do(t, err)
	do(t, e.cmd.Process.Signal(syscall.SIGTERM))
	do(t, writer.Close())
	e.wait()
	if _, err := os.Stat(e.record()); err == nil {
		t.Error("Kong was started after the signal")
	}
}
