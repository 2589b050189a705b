package gateway

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
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

var (
	idPattern    = regexp.MustCompile(`[0-9a-f]{32}`)
	delayPattern = regexp.MustCompile(`(?i)"x-kong-(proxy|upstream|response)-latency":"\d+"`)
)

// normal takes away what differs from run to run: ids of requests and ports.
func (s *stage) normal(text string) string {
	text = idPattern.ReplaceAllString(text, "ID")
	text = strings.ReplaceAll(text, "Port:["+portText(s.gateway.proxy)+"]", "Port:[8000]")
	return text
}

func portText(addr string) string { _, port, _ := net.SplitHostPort(addr); return port }

// same compares one answer of Kong's with the recorded one.
func (s *stage) same(method string, recorded, heard []byte) error {
	switch method {
	case "kong.log.serialize":
		return s.sameLog(recorded, heard)
	case "kong.service.response.get_raw_body":
		return s.sameText(text(recorded), text(heard))
	case "kong.request.get_raw_body":
		return s.sameBody(recorded, heard)
	case "kong.request.get_headers", "kong.service.response.get_headers":
		want, got := &structpb.Struct{}, &structpb.Struct{}
		if err := proto.Unmarshal(recorded, want); err != nil {
			return err
		}
		if err := proto.Unmarshal(heard, got); err != nil {
			return err
		}
		if diff := cmp.Diff(want.AsMap(), got.AsMap()); diff != "" {
			return fmt.Errorf("recorded -, heard +:\n%s", diff)
		}
	case "kong.response.get_source":
		// In 34 a failed request is remembered in the next one; see the package's
		// comment.
		if text(heard) != "service" {
			return fmt.Errorf("heard %q", text(heard))
		}
	default:
		if string(recorded) != string(heard) {
			return fmt.Errorf("recorded %x, heard %x", recorded, heard)
		}
	}
	return nil
}

func text(message []byte) string { s, _ := readString(message); return s }

func (s *stage) sameText(recorded, heard string) error {
	if diff := cmp.Diff(s.normal(recorded), s.normal(heard)); diff != "" {
		return fmt.Errorf("recorded -, heard +:\n%s", diff)
	}
	return nil
}

func (s *stage) sameBody(recorded, heard []byte) error {
	var want, got kong_plugin_protocol.RawBodyResult
	if err := proto.Unmarshal(recorded, &want); err != nil {
		return err
	}
	if err := proto.Unmarshal(heard, &got); err != nil {
		return err
	}
	if want.GetBodyFilepath() == "" {
		if !proto.Equal(&want, &got) {
			return fmt.Errorf("recorded %.100s, heard %.100s", want.String(), got.String())
		}
		return nil
	}
	content, err := os.ReadFile(got.GetBodyFilepath())
	if err != nil {
		return err
	}
	if string(content) != string(s.sent) {
		return fmt.Errorf("the file has %d bytes, not the %d that were sent", len(content), len(s.sent))
	}
	if !regexp.MustCompile(`/client_body_temp/\d{10}$`).MatchString(got.GetBodyFilepath()) {
		return fmt.Errorf("the file is %s", got.GetBodyFilepath())
	}
	return nil
}

// sameLog compares log entries without times, ports and sizes that follow from
// them; the size of the answer has to be near.
func (s *stage) sameLog(recorded, heard []byte) error {
	var want, got map[string]any
	if err := json.Unmarshal([]byte(delayPattern.ReplaceAllString(s.normal(text(recorded)), `"x-kong-$1-latency":"0"`)), &want); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(delayPattern.ReplaceAllString(s.normal(text(heard)), `"x-kong-$1-latency":"0"`)), &got); err != nil {
		return err
	}
	size := func(entry map[string]any) float64 {
		n, _ := entry["response"].(map[string]any)["size"].(float64)
		return n
	}
	if math.Abs(size(want)-size(got)) > 8 {
		return fmt.Errorf("the answer's size was recorded as %v, and is %v", size(want), size(got))
	}
	for _, entry := range []map[string]any{want, got} {
		calm(entry)
	}
	if service, ok := got["service"].(map[string]any); ok {
		s.calmPort(service)
	}
	for _, try := range list(got["tries"]) {
		s.calmPort(try)
	}
	if headers := got["response"].(map[string]any)["headers"].(map[string]any); got["source"] == "upstream" {
		// The upstream repeats the proxy's port, which was 8000.
		n, _ := strconv.Atoi(headers["content-length"].(string))
		headers["content-length"] = strconv.Itoa(n - len(portText(s.gateway.proxy)) + len("8000"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("recorded -, heard +:\n%s", diff)
	}
	return nil
}

func list(value any) []map[string]any {
	var out []map[string]any
	items, _ := value.([]any)
	for _, item := range items {
		out = append(out, item.(map[string]any))
	}
	return out
}

func (s *stage) calmPort(entry map[string]any) {
	if fmt.Sprint(entry["port"]) == portText(s.upstream.Listener.Addr().String()) {
		entry["port"] = 9999.0
	}
}

// calm takes times out of a log entry.
func calm(entry map[string]any) {
	delete(entry, "started_at")
	for _, key := range []string{"route", "service"} {
		if of, ok := entry[key].(map[string]any); ok {
			delete(of, "created_at")
			delete(of, "updated_at")
		}
	}
	latencies := entry["latencies"].(map[string]any)
	for key, value := range latencies {
		if n := value.(float64); n >= 0 {
			latencies[key] = 0.0
		}
	}
	for _, try := range list(entry["tries"]) {
		for key := range try {
			if strings.HasPrefix(key, "balancer_") {
				delete(try, key)
			}
		}
	}
	response := entry["response"].(map[string]any)
	delete(response, "size")
	if headers := response["headers"].(map[string]any); headers["date"] != nil {
		headers["date"] = "DATE"
	}
}

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

func stable(name, value string) string {
	switch name = strings.ToLower(name); name {
	case "date", "content-length", "x-kong-request-id", "x-kong-upstream-latency", "x-kong-proxy-latency", "x-kong-response-latency":
		return name
	}
	return name + ": " + value
}
