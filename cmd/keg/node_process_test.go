package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kong/keg/console"
)

// servedNode is a keg serve with an HTTP source and a status listener, which can
// be killed and started again at the same addresses.
type servedNode struct {
	*process
	t              *testing.T
	dir            string // short, and gone with the test
	routes         string // the file
	source, status string // host:port
	env, args      []string
}

// prepareNode is a node that is not started yet.
func prepareNode(t *testing.T, routes string, env ...string) *servedNode {
	t.Helper()
	dir, err := os.MkdirTemp("", "keg")
	do(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	n := &servedNode{t: t, dir: dir, routes: filepath.Join(dir, "routes.yaml"),
		source: newSwitchedServer(t).address, status: newSwitchedServer(t).address}
	write(t, n.routes, routes)
	n.env = append([]string{"KEG_LOG_FORMAT=text", "KEG_STATUS_LISTEN=" + n.status}, env...)
	n.args = []string{"serve", "--routes", n.routes, "--socket", n.socket(), "--event-sources", "http:" + n.source}
	return n
}

// kept are the variables of a node with a store of its own.
func (n *servedNode) kept() *servedNode {
	n.env = append(n.env, "KEG_PERSISTENCE_ENABLE=true", "KEG_PERSISTENCE_URL=file://"+n.store())
	return n
}

func (n *servedNode) store() string  { return filepath.Join(n.dir, "store") }
func (n *servedNode) socket() string { return filepath.Join(n.dir, "s") }
func (n *servedNode) url() string    { return "http://" + n.source }

// run starts the node, and returns when it is ready.
func (n *servedNode) run() *servedNode {
	n.t.Helper()
	n.launch()
	n.until("source listens")
	n.eventually("the node is ready", func() bool { return n.readiness().Ready })
	return n
}

func (n *servedNode) launch() {
	n.t.Helper()
	n.process = start(n.t, n.env, n.args...)
}

// kill is kill -9.
func (n *servedNode) kill() {
	n.t.Helper()
	_ = n.cmd.Process.Kill()
	n.wait()
}

// patience is how long a condition may take on a slow machine.
const longPatience = 90 * time.Second

func (n *servedNode) eventually(what string, is func() bool) {
	n.t.Helper()
	within(n.t, longPatience, what, is)
}

func within(t *testing.T, patience time.Duration, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not so after %v: %s", patience, what)
		}
	}
}

// readiness is the zero one where nobody answers.
func (n *servedNode) readiness() console.Readiness {
	client := console.NewClient(n.status)
	defer client.Close()
	r, err := client.Readiness(n.t.Context())
	if err != nil {
		return console.Readiness{}
	}
	return r
}

// metrics are the lines of /metrics that are samples, by name and labels.
func (n *servedNode) metrics() map[string]float64 {
	n.t.Helper()
	response, err := http.Get("http://" + n.status + "/metrics")
	do(n.t, err)
	defer response.Body.Close()
	all := map[string]float64{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		sample, value, ok := cutLast(lines.Text())
		if !ok || strings.HasPrefix(sample, "#") {
			continue
		}
		all[sample], err = strconv.ParseFloat(value, 64)
		do(n.t, err)
	}
	do(n.t, lines.Err())
	return all
}

func cutLast(line string) (sample, value string, ok bool) {
	i := strings.LastIndexByte(line, ' ')
	if i < 0 {
		return "", "", false
	}
	return line[:i], line[i+1:], true
}

// metric sums the samples of a name that have all those labels, each `a="b"`.
func (n *servedNode) metric(name string, labels ...string) (sum float64) {
	n.t.Helper()
samples:
	for sample, value := range n.metrics() {
		if rest, found := strings.CutPrefix(sample, name); !found || rest != "" && rest[0] != '{' {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(sample, label) {
				continue samples
			}
		}
		sum += value
	}
	return sum
}

// drained waits until the store owes nothing of what was stored before the call,
// which a count that was made before does not tell.
func (n *servedNode) drained() {
	n.t.Helper()
	called := time.Now()
	n.eventually("nothing waits in the store", func() bool {
		r := n.readiness()
		return r.Store.StoreCounts != nil && r.Store.Counted.After(called) && r.Store.Waiting == 0
	})
}

// keg runs a command that asks this node.
func (n *servedNode) keg(args ...string) (status int, stdout, stderr string) {
	n.t.Helper()
	return runKeg(n.t, n.env, args...)
}

// trySend posts one event, and returns 0 where no answer came.
func trySend(client *http.Client, url, body string) (status int, answer, retryAfter string) {
	response, err := client.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return 0, err.Error(), ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error(), ""
	}
	return response.StatusCode, string(text), response.Header.Get("Retry-After")
}

func orderEvent(id string) string {
	return fmt.Sprintf(`{"event_type":"order.created","event_id":%q,"order":{"id":7}}`, id)
}

// httpRoute sends everything to one address.
func httpRoute(address, more string) string {
	return fmt.Sprintf("routes: [{name: all, match: {}, %sdestinations: [{type: http, address: %q}]}]\n", more, "http://"+address+"/")
}
