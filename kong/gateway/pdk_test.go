package gateway

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// asked runs PDK calls in one phase of a request and returns Kong's answers, as
// far as it gave any.
func asked(t *testing.T, phase, request string, calls ...pdkCall) [][]byte {
	t.Helper()
	peer := newPeer(t)
	url, _ := seen(t, nil)
	g := start(t, Options{
		Workers:       1,
		Config:        []byte(strings.Replace(string(upstreamConfig(url)), "services:", "plugins: [{name: go-probe}]\nconsumers: [{username: ann, custom_id: '7'}]\nservices:", 1)),
		PluginServers: probeServer(peer, phase),
	})
	var mu sync.Mutex
	var answers [][]byte
	for i := range calls {
		calls[i].answered = true
	}
	peer.lenient = true
	peer.play(&recording{commands: []*command{event(phase, calls...)}}, func(_ string, _, heard []byte) error {
		mu.Lock()
		defer mu.Unlock()
		answers = append(answers, heard)
		return nil
	})
	response := reply(t, g.proxy, request)
	_, _ = io.Copy(io.Discard, response.Body)
	<-peer.done
	mu.Lock()
	defer mu.Unlock()
	return answers
}

func call(t *testing.T, method string, argument proto.Message) pdkCall {
	t.Helper()
	c := pdkCall{method: method}
	if argument != nil {
		text, err := proto.Marshal(argument)
		if err != nil {
			t.Fatal(err)
		}
		c.argument = text
	}
	return c
}

func pbText(s string) *kong_plugin_protocol.String { return &kong_plugin_protocol.String{V: s} }

const plainGet = "GET /up HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

func TestMethodsAndTheirPhases(t *testing.T) {
	for _, c := range []struct {
		name, phase string
		call        pdkCall
		answered    bool
	}{
		{"a method that Kong has not", "access", call(t, "kong.request.get_everything", nil), false},
		{"an empty argument for Empty", "access", call(t, "kong.request.get_method", nil), true},
		{"an argument that is no message", "access", pdkCall{method: "kong.request.get_header", argument: []byte{0xff}}, false},
		{"the upstream's answer before there is one", "access", call(t, "kong.service.response.get_status", nil), false},
		{"the answer's status before there is one", "access", call(t, "kong.response.get_status", nil), false},
		{"the route in rewrite", "rewrite", call(t, "kong.router.get_route", nil), false},
		{"the consumer in rewrite", "rewrite", call(t, "kong.client.get_consumer", nil), false},
		{"the body in response", "response", call(t, "kong.request.get_raw_body", nil), true},
		{"the request to the upstream in response", "response", call(t, "kong.service.request.set_header", &kong_plugin_protocol.KV{K: "a", V: structpb.NewStringValue("b")}), false},
		{"the answer's header in response", "response", call(t, "kong.response.set_header", &kong_plugin_protocol.KV{K: "a", V: structpb.NewStringValue("b")}), true},
		{"the saved header fields in log", "log", call(t, "kong.request.get_headers", nil), true},
		{"the saved status in log", "log", call(t, "kong.response.get_status", nil), true},
		{"the log entry in log", "log", call(t, "kong.log.serialize", nil), true},
		{"the route in log", "log", call(t, "kong.router.get_route", nil), true},
		{"a variable in log, which runs in a timer", "log", call(t, "kong.nginx.get_var", pbText("request")), false},
		{"the method in log", "log", call(t, "kong.request.get_method", nil), false},
		{"the body in log", "log", call(t, "kong.request.get_raw_body", nil), false},
		{"an exit in log", "log", call(t, "kong.response.exit", nil), false},
		{"1001 header fields", "access", call(t, "kong.request.get_headers", &kong_plugin_protocol.Int{V: 1001}), false},
		{"a header without a value", "access", call(t, "kong.response.set_header", &kong_plugin_protocol.KV{K: "a"}), false},
		{"a header's name with a line break", "access", call(t, "kong.response.set_header", &kong_plugin_protocol.KV{K: "a\r\nb", V: structpb.NewStringValue("x")}), false},
		{"an unknown scheme", "access", call(t, "kong.service.request.set_scheme", pbText("ftp")), false},
		{"a path without a slash", "access", call(t, "kong.service.request.set_path", pbText("x")), false},
		{"a method that is none", "access", call(t, "kong.service.request.set_method", pbText("GE T")), false},
		{"no IP address", "access", call(t, "kong.ip.is_trusted", pbText("nobody")), false},
		{"a port that is none", "access", call(t, "kong.service.set_target", &kong_plugin_protocol.Target{Host: "h", Port: 0}), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := len(asked(t, c.phase, plainGet, c.call)) == 1; got != c.answered {
				t.Errorf("answered: %t", got)
			}
		})
	}
}

func TestHeaderFieldsThatAreNotUTF8GoOutAsTheyAre(t *testing.T) {
	answers := asked(t, "access", "GET /up HTTP/1.1\r\nHost: h\r\nX-Latin: caf\xe9\r\nConnection: close\r\n\r\n",
		call(t, "kong.request.get_headers", nil), call(t, "kong.request.get_header", pbText("x-latin")))
	if len(answers) != 2 || !strings.Contains(string(answers[0]), "caf\xe9") || text(answers[1]) != "caf\xe9" {
		t.Errorf("%q", answers)
	}
	if err := proto.Unmarshal(answers[0], &structpb.Struct{}); err == nil {
		t.Error("protobuf for Go read it, so that this tests nothing")
	}
}

func TestConsumersAreFound(t *testing.T) {
	spec := func(id string, byName bool) pdkCall {
		return call(t, "kong.client.load_consumer", &kong_plugin_protocol.ConsumerSpec{Id: id, ByUsername: byName})
	}
	answers := asked(t, "access", plainGet, spec("ann", true), spec("ann", false), spec("bob", true), call(t, "kong.client.get_consumer", nil))
	if len(answers) != 4 {
		t.Fatalf("%d answers", len(answers))
	}
	var ann kong_plugin_protocol.Consumer
	if err := proto.Unmarshal(answers[0], &ann); err != nil || ann.Username != "ann" || ann.CustomId != "7" || ann.Id == "" {
		t.Errorf("%v %+v", err, &ann)
	}
	if len(answers[1])+len(answers[2])+len(answers[3]) != 0 {
		t.Errorf("found %x", answers[1:])
	}
	var same kong_plugin_protocol.Consumer
	if byID := asked(t, "access", plainGet, spec(ann.Id, false)); proto.Unmarshal(byID[0], &same) != nil || same.Username != "ann" {
		t.Errorf("by id: %x", byID)
	}
}

func TestCRLFNeverReachesAHeader(t *testing.T) {
	peer := newPeer(t)
	g := start(t, Options{Config: []byte(serviceless), PluginServers: probeServer(peer, "access")})
	argument, err := proto.Marshal(&kong_plugin_protocol.ExitArgs{Status: 200, Headers: &structpb.Struct{Fields: map[string]*structpb.Value{
		"X-Split": structpb.NewStringValue("a\r\nX-Forged: 1\x00"),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	peer.play(&recording{commands: []*command{event("access", pdkCall{method: "kong.response.exit", argument: argument})}}, anything)
	response := reply(t, g.proxy, "GET /events HTTP/1.1\r\nHost: h\r\n\r\n")
	if got := response.Header.Get("X-Split"); got != "a%0D%0AX-Forged: 1%00" || response.Header.Get("X-Forged") != "" {
		t.Errorf("%q", response.Header)
	}
}

func TestBodiesInMemoryAndInFiles(t *testing.T) {
	for _, c := range []struct {
		name    string
		size    int
		chunked bool
		inFile  bool
	}{
		{"nothing", 0, false, false},
		{"just small enough", 10239, false, false},
		{"a byte more", 10240, false, true},
		{"in pieces, just small enough", 8192, true, false},
		{"in pieces, a byte more", 8193, true, true},
		{"a megabyte", 1 << 20, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			peer := newPeer(t)
			prefix := t.TempDir()
			g := start(t, Options{Config: []byte(serviceless), Prefix: prefix, PluginServers: probeServer(peer, "access")})
			body := strings.Repeat("x", c.size)
			raw := call(t, "kong.request.get_raw_body", nil)
			raw.answered = true
			exit := exiting(200).calls[0]
			content := make(chan string, 2)
			peer.play(&recording{commands: []*command{event("access", raw, raw, exit)}}, func(_ string, _, heard []byte) error {
				var result kong_plugin_protocol.RawBodyResult
				if err := proto.Unmarshal(heard, &result); err != nil {
					return err
				}
				if inFile := result.GetBodyFilepath() != ""; inFile != c.inFile {
					return fmt.Errorf("in a file: %t", inFile)
				}
				got := result.GetContent()
				if c.inFile {
					var err error
					if got, err = os.ReadFile(result.GetBodyFilepath()); err != nil {
						return err
					}
				}
				content <- string(got)
				return nil
			})
			var reader io.Reader = strings.NewReader(body)
			if c.chunked {
				reader = io.MultiReader(reader) // its length is not known
			}
			response, err := http.Post("http://"+g.proxy+"/events", "text/plain", reader)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			for range 2 {
				if got := <-content; got != body {
					t.Errorf("%d bytes came, not %d", len(got), len(body))
				}
			}
			if left, _ := filepath.Glob(filepath.Join(prefix, "client_body_temp", "*")); len(left) > 0 {
				// The file goes when the request is over, which is after the answer.
				<-peer.done
				peer.die()
				if left, _ = filepath.Glob(filepath.Join(prefix, "client_body_temp", "*")); len(left) > 0 {
					t.Errorf("left behind: %s", left)
				}
			}
		})
	}
}

func TestRequestIDIsTheSameWhenAnEventIsRunAgain(t *testing.T) {
	peer := newPeer(t)
	g := start(t, Options{Config: []byte(serviceless), PluginServers: probeServer(peer, "access")})
	id := call(t, "kong.nginx.get_var", pbText("kong_request_id"))
	id.answered = true
	first := event("access", id)
	first.died = true
	var ids []string
	peer.play(&recording{commands: []*command{first, event("access", id, exiting(200).calls[0])}}, func(_ string, _, heard []byte) error {
		ids = append(ids, text(heard))
		return nil
	})
	response := reply(t, g.proxy, "GET /events HTTP/1.1\r\nHost: h\r\n\r\n")
	if len(ids) != 2 || ids[0] != ids[1] || ids[0] != response.Header.Get("X-Kong-Request-Id") {
		t.Errorf("the event heard %q, the client %q", ids, response.Header.Get("X-Kong-Request-Id"))
	}
}

func TestContextIsSharedByPhasesAndPlugins(t *testing.T) {
	peer := newPeer(t)
	g := start(t, Options{Config: []byte("_format_version: '3.0'\nplugins: [{name: go-probe}, {name: request-termination}]\nroutes: [{paths: [/]}]"), PluginServers: probeServer(peer, "rewrite", "access", "log")})
	value, _ := structpb.NewValue(map[string]any{"n": 1.5, "list": []any{"a", true}})
	put := call(t, "kong.ctx.shared.set", &kong_plugin_protocol.KV{K: "k", V: value})
	take := call(t, "kong.ctx.shared.get", pbText("k"))
	put.answered, take.answered = true, true
	var mu sync.Mutex
	var got []string
	peer.play(&recording{commands: []*command{event("rewrite", put), event("access", take), event("log", take)}}, func(method string, _, heard []byte) error {
		if method == "kong.ctx.shared.get" {
			var v structpb.Value
			if err := proto.Unmarshal(heard, &v); err != nil {
				return err
			}
			if !proto.Equal(&v, value) {
				return fmt.Errorf("%v", &v)
			}
			mu.Lock()
			got = append(got, method)
			mu.Unlock()
		}
		return nil
	})
	get(t, "http://"+g.proxy+"/", http.StatusServiceUnavailable)
	<-peer.done
	peer.die()
	if len(got) != 2 {
		t.Errorf("heard %q", got)
	}
}

func TestMostSpecificConfigurationOfAPluginRuns(t *testing.T) {
	peer := newPeer(t)
	g := start(t, Options{Workers: 1, PluginServers: probeServer(peer, "access"), Config: []byte(`
_format_version: "3.0"
plugins:
- {name: go-probe, config: {mode: everything}}
- {name: go-probe, route: both, service: s, config: {mode: both}}
- {name: request-termination}
services:
- name: s
  url: http://127.0.0.1:9
  plugins: [{name: go-probe, config: {mode: service}}]
  routes:
  - {name: route, paths: [/route], plugins: [{name: go-probe, config: {mode: route}}]}
  - {name: plain, paths: [/plain]}
  - {name: both, paths: [/both], plugins: [{name: go-probe, config: {mode: route2}}]}
routes:
- {name: alone, paths: [/alone]}
`)})
	want := []string{"route", "service", "both", "everything"}
	for i, path := range []string{"/route", "/plain", "/both", "/alone"} {
		peer.play(&recording{commands: []*command{event("access")}}, anything)
		get(t, "http://"+g.proxy+path, http.StatusServiceUnavailable)
		if configs := peer.configs; len(configs) != 1 || !strings.Contains(configs[0], `"mode":"`+want[i]+`"`) {
			t.Errorf("%s: %s", path, configs)
		}
	}
}

func TestEveryMethodOfTheProtocolIsThere(t *testing.T) {
	text, err := os.ReadFile("testdata/methods.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(string(text))
	var got []string
	for name := range pdk {
		got = append(got, name)
	}
	slices.Sort(got)
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("no %s", name)
		}
	}
	if len(want) != 72 {
		t.Errorf("the list has %d methods", len(want))
	}
}
