package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg/kong/gateway/pluginserver"
	"github.com/kong/keg/test/logtest"
)

// buildReport builds the plugin of testdata/go-report once.
var buildReport = sync.OnceValues(func() (string, error) {
	program := filepath.Join(built, "go-report")
	if output, err := exec.Command("go", "build", "-o", program, "./testdata/go-report").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, output)
	}
	return program, nil
})

// reportConfig has the plugin on three routes.
const reportConfig = `
_format_version: "3.0"
plugins:
- {name: go-report, config: {mode: pass, tags: [a]}}
services:
- name: up
  url: UPSTREAM
  routes:
  - {name: report, paths: ["~/report/(?<kind>[a-z]+)"], plugins: [{name: go-report, config: {mode: report}}]}
  - {name: die, paths: [/die], plugins: [{name: go-report, config: {mode: die}}]}
  - {name: pass, paths: [/pass]}
`

func startReport(t *testing.T, log *slog.Logger) *started {
	t.Helper()
	program, err := buildReport()
	if err != nil {
		t.Fatal(err)
	}
	prefix := t.TempDir()
	g := start(t, Options{
		Config: []byte(strings.Replace(reportConfig, "UPSTREAM", echo(t).URL, 1)),
		Prefix: prefix, Log: log, Workers: 2,
		PluginTimeouts: pluginserver.Timeouts{Connect: 5 * time.Second, Send: 5 * time.Second, Read: 5 * time.Second},
		PluginServers: []PluginServer{{
			Name:     "go-report",
			QueryCmd: []string{program, "-dump", "-kong-prefix", prefix},
			StartCmd: []string{program, "-kong-prefix", prefix},
		}},
	})
	g.awaitStatus(t, "/pass", http.StatusOK)
	return g
}

// awaitStatus asks until the plugin server is there.
func (s *started) awaitStatus(t *testing.T, path string, status int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		response, err := http.Get("http://" + s.proxy + path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if response.StatusCode == status {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("GET %s: still %s", path, response.Status)
		}
	}
}

func TestGoPDKPluginHearsTheRequest(t *testing.T) {
	g := startReport(t, nil)
	request, err := http.NewRequest("POST", "http://"+g.proxy+"/report/all/./x?a=1%202&b=3&b=4", strings.NewReader("the body"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header["X-Twice"] = []string{"one", "two"}
	request.Header.Set("User-Agent", "test")
	request.Header.Set("Accept-Encoding", "identity")
	request.Host = "shop.example:8000"
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var got map[string]any
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	id := response.Header.Get("X-Kong-Request-Id")
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(id) {
		t.Errorf("the request's id is %q", id)
	}
	port := float64(portOf(g.proxy))
	want := map[string]any{
		"client.ip": "127.0.0.1", "client.forwarded_ip": "127.0.0.1",
		"scheme": "http", "host": "shop.example", "port": port,
		"forwarded_scheme": "http", "forwarded_host": "shop.example", "forwarded_port": port,
		"method": "POST", "path": "/report/all/x", "path_with_query": "/report/all/x?a=1%202&b=3&b=4", "raw_query": "a=1%202&b=3&b=4",
		"http_version": 1.1, "query_arg": "1 2",
		"query":       map[string]any{"a": []any{"1 2"}, "b": []any{"3", "4"}},
		"header":      "one",
		"headers":     map[string]any{"accept-encoding": []any{"identity"}, "content-length": []any{"8"}, "host": []any{"shop.example:8000"}, "user-agent": []any{"test"}, "x-twice": []any{"one", "two"}},
		"body":        "the body",
		"captures":    map[string]any{"Unnamed": []any{"YWxs"}, "Named": map[string]any{"kind": "YWxs"}},
		"shared":      "from rewrite",
		"trusted":     false,
		"route":       "report",
		"service":     "up",
		"subsystem":   "http",
		"var.request": "POST /report/all/./x?a=1%202&b=3&b=4 HTTP/1.1", "var.request_method": "POST", "var.request_uri": "/report/all/./x?a=1%202&b=3&b=4",
		"var.uri": "/report/all/x", "var.args": "a=1%202&b=3&b=4", "var.arg_a": "1%202", "var.http_x_twice": "one, two", "var.remote_addr": "127.0.0.1",
		"var.server_protocol": "HTTP/1.1", "var.content_length": "8", "var.kong_request_id": id, "var.request_id": id, "var.nonsense": "",
	}
	for _, changing := range []string{"client.port", "node.id", "var.request_length"} {
		if got[changing] == nil || got[changing] == "" || got[changing] == 0.0 {
			t.Errorf("%s is %v", changing, got[changing])
		}
		delete(got, changing)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, told +:\n%s", diff)
	}
}

func TestGoPDKPluginChangesRequestAndAnswer(t *testing.T) {
	var log logtest.Log
	g := startReport(t, slog.New(slog.NewTextHandler(&log, nil)))
	response, err := http.Get("http://" + g.proxy + "/pass/on")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if !strings.Contains(string(body), "X-Mode:[pass]") {
		t.Errorf("the upstream was told %s", body)
	}
	if got := response.Header.Get("X-Upstream-Bytes"); !strings.HasSuffix(got, " <nil>") || strings.HasPrefix(got, "0 ") {
		t.Errorf("x-upstream-bytes is %q", got)
	}
	log.Await(t, "passing 1 on", 1)              // kong.log.warn
	log.Await(t, "logged upstream 200 <nil>", 1) // the standard error of the process
}

func TestGoPDKPluginIsStartedAgain(t *testing.T) {
	g := startReport(t, nil)
	pid := func() string {
		response, err := http.Get("http://" + g.proxy + "/report/pid")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response.Header.Get("X-Pid")
	}
	before := pid()
	if body := get(t, "http://"+g.proxy+"/die", http.StatusInternalServerError); !strings.Contains(body, "An unexpected error occurred") {
		t.Errorf("the client saw %s", body)
	}
	g.awaitStatus(t, "/pass", http.StatusOK)
	if after := pid(); after == before || after == "" {
		t.Errorf("process %s is still there: %q", before, after)
	}
}
