package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// stage is a gateway, its upstream and the peer, as in the recordings.
type stage struct {
	t        *testing.T
	gateway  *started
	upstream *httptest.Server
	peer     *peer
	sent     []byte // the body of the last request
}

func newStage(t *testing.T, config string, o Options) *stage {
	t.Helper()
	s := &stage{t: t, upstream: echo(t), peer: newPeer(t)}
	o.Config = []byte(s.config(config))
	o.Workers = 1
	for _, name := range []string{"go-probe", "go-schema"} {
		text, err := os.ReadFile("testdata/dump-" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		o.PluginServers = append(o.PluginServers, PluginServer{Name: name, Socket: s.peer.socket, Dump: text})
	}
	s.gateway = start(t, o)
	return s
}

// config puts the upstream's port in.
func (s *stage) config(text string) string {
	return strings.ReplaceAll(text, ":9999", s.upstream.Listener.Addr().String()[len("127.0.0.1"):])
}

// probeConfig is the configuration of the recordings 02 to 40.
func probeConfig(note string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "_format_version: '3.0'\nservices:\n- name: probe\n  url: http://127.0.0.1:9999\n  routes:\n")
	for _, mode := range []string{"hello", "accept", "headers1", "headers1000", "pass", "noop", "badmethod", "luaerror", "wrongphase", "sleep3", "sleep70", "panic", "die"} {
		fmt.Fprintf(&b, "  - {name: %s, paths: [/%s], plugins: [{name: go-probe, config: {mode: %s, note: %s}}]}\n", mode, mode, mode, note)
	}
	fmt.Fprintf(&b, "  - {name: exitnobody, paths: [/exitnobody], plugins: [{name: go-probe, config: {mode: exitnobody, note: %s}}]}\n", note)
	return b.String()
}

// globalConfig is that of 41 to 45.
const globalConfig = `
_format_version: "3.0"
plugins:
- {name: go-probe, config: {mode: hello, note: global}}
services:
- {name: up, url: "http://127.0.0.1:9999", routes: [{name: up, paths: [/up]}]}
- {name: down, url: "http://127.0.0.1:9", retries: 0, routes: [{name: down, paths: [/down]}]}
- name: term
  url: http://127.0.0.1:9999
  routes:
  - name: term
    paths: [/term]
    plugins: [{name: request-termination, config: {status_code: 202, body: '{"accepted":true}', content_type: application/json}}]
- name: decode
  url: http://127.0.0.1:9999
  routes:
  - id: 3efdfccf-c4a7-53d7-8cf0-b1294e7476ae
    name: schema
    paths: [/schema]
    plugins: [{name: go-schema, config: {i32: 99999999999}}]
`

// curl is the request that curl would send: its own header fields, then the given.
func (s *stage) curl(method, uri string, body []byte, fields ...string) string {
	s.sent = body
	head := method + " " + uri + " HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
	for _, f := range fields {
		head += f + "\r\n"
	}
	return head + "\r\n" + string(body)
}

func (s *stage) post(uri string, body []byte, contentType string) string {
	return s.curl("POST", uri, body, fmt.Sprintf("Content-Length: %d", len(body)), "Content-Type: "+contentType)
}

// run plays a recording while the request is sent, and returns the answer.
func (s *stage) run(r *recording, request string) *http.Response {
	s.t.Helper()
	s.peer.play(r, s.same)
	response := s.send(request)
	s.wait()
	return response
}

func (s *stage) send(request string) *http.Response {
	s.t.Helper()
	conn := raw(s.t, s.gateway.proxy, request)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	response.Body = io.NopCloser(strings.NewReader(string(body)))
	conn.Close()
	return response
}

func (s *stage) wait() {
	s.t.Helper()
	select {
	case <-s.peer.done:
	case <-time.After(10 * time.Second):
		s.t.Fatalf("the recording was not played to its end; heard: %s", s.peer.told())
	}
}

// same compares one answer of Kong's with the recorded one.
// sameLog compares log entries without times, ports and sizes that follow from
// them; the size of the answer has to be near.
// calm takes times out of a log entry.
// check compares the client's answer with the recorded one: the status, the
// names of the header fields and all values that do not change, and the body.
func (s *stage) check(want httpReply, got *http.Response) {
	s.t.Helper()
	if status := fmt.Sprintf("%s %s", got.Proto, got.Status); status != want.status {
		s.t.Errorf("the client saw %q, recorded %q", status, want.status)
	}
	body, _ := io.ReadAll(got.Body)
	want.body, _, _ = strings.Cut(want.body, "\n60.003380s\n") // curl's own, after 40
	if diff := cmp.Diff(s.normal(want.body), s.normal(string(body))); diff != "" {
		s.t.Errorf("body: recorded -, seen +:\n%s", diff)
	}
	var recorded, seen []string
	for _, f := range want.fields {
		if got.StatusCode == http.StatusNoContent && f.name == "Content-Length" {
			continue // net/http writes none; see the package's comment
		}
		recorded = append(recorded, stable(f.name, f.value))
	}
	for name, values := range got.Header {
		for _, v := range values {
			seen = append(seen, stable(name, v))
		}
	}
	slices.Sort(recorded)
	slices.Sort(seen)
	if diff := cmp.Diff(recorded, seen); diff != "" {
		s.t.Errorf("header fields: recorded -, seen +:\n%s", diff)
	}
}
