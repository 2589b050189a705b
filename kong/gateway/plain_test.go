package gateway

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"
)

// serviceless is the least configuration: a plugin that answers by itself.
const serviceless = `
_format_version: "3.0"
routes:
- name: events
  paths: [/events]
  plugins: [{name: go-probe, config: {mode: m, note: n}}]
`

const probeSchema = `{"name":"go-probe","fields":[{"config":{"type":"record","fields":[{"mode":{"type":"string"}},{"note":{"type":"string"}}]}}]}`

// probeServer is a plugin server without a process, at the peer's socket.
func probeServer(p *peer, phases ...string) []PluginServer {
	return []PluginServer{{Name: "go-probe", Socket: p.socket, Dump: dump("go-probe", 900, probeSchema, phases...)}}
}

// event is a command of that phase, with these PDK calls.
func event(phase string, calls ...pdkCall) *command {
	return &command{
		call: &kong_plugin_protocol.RpcCall{Call: &kong_plugin_protocol.RpcCall_CmdHandleEvent{
			CmdHandleEvent: &kong_plugin_protocol.CmdHandleEvent{EventName: phase}}},
		calls: calls,
		reply: []byte{},
	}
}

// exiting is an access event that answers with a status.
func exiting(status int32) *command {
	argument, err := proto.Marshal(&kong_plugin_protocol.ExitArgs{Status: status})
	if err != nil {
		panic(err)
	}
	return event("access", pdkCall{method: "kong.response.exit", argument: argument})
}

// get asks for a URL on a connection of its own and returns the body.
func get(t *testing.T, url string, status int) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != status {
		t.Fatalf("GET %s: %s, not %d\n%s", url, response.Status, status, body)
	}
	return string(body)
}
