package gateway

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"
)

// recording is what a running Kong 3.9.1 and a plugin said to each other in one
// scenario, as commands in the order in which Kong began them.
type recording struct {
	name     string
	commands []*command
	reply    httpReply // what the client saw, where it was one answer
}

// command is one call of Kong's and what followed on its connection.
type command struct {
	call  *kong_plugin_protocol.RpcCall
	calls []pdkCall
	reply []byte // the plugin's RpcReturn; nil: it never came
	died  bool   // the plugin closed the connection in the middle
}

// pdkCall is one PDK call and Kong's answer to it; nil: Kong did not answer.
type pdkCall struct {
	method   string
	argument []byte
	answer   []byte
	answered bool
}

func (c *command) phase() string { return c.call.GetCmdHandleEvent().GetEventName() }

// what names the command: "start", "close", or the phase of an event.
func (c *command) what() string {
	switch {
	case c.call.GetCmdStartInstance() != nil:
		return "start"
	case c.call.GetCmdCloseInstance() != nil:
		return "close"
	default:
		return c.phase()
	}
}

type httpReply struct {
	status string
	fields fields
	body   string
}

// readRecording reads testdata/NAME.jsonl and NAME.http.txt.
func readRecording(t *testing.T, number string) *recording {
	t.Helper()
	paths, _ := filepath.Glob(filepath.Join("testdata", number+"-*.jsonl"))
	if len(paths) != 1 {
		t.Fatalf("%d recordings %s", len(paths), number)
	}
	text, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	r := &recording{name: strings.TrimSuffix(filepath.Base(paths[0]), ".jsonl")}
	open := map[int]*parser{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Conn            int
			Dir, Hex, Event string
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v", paths[0], err)
		}
		p := open[line.Conn]
		if p == nil {
			p = &parser{t: t, r: r}
			open[line.Conn] = p
		}
		frame, err := hex.DecodeString(line.Hex)
		if err != nil {
			t.Fatal(err)
		}
		p.line(line.Dir, line.Event, frame)
	}
	http, err := os.ReadFile(strings.TrimSuffix(paths[0], ".jsonl") + ".http.txt")
	if err != nil {
		t.Fatal(err)
	}
	r.reply = readHTTPReply(string(http))
	return r
}

// parser follows one connection.
type parser struct {
	t       *testing.T
	r       *recording
	command *command
	method  string
	expect  string // what the plugin writes next: "method", "argument", "return"
}

func (p *parser) line(dir, event string, frame []byte) {
	switch {
	case event != "":
		if strings.HasPrefix(event, "eof") && dir == "plugin->kong" && p.command != nil && p.command.reply == nil {
			p.command.died = true
		}
	case dir == "kong->plugin" && p.expect == "answer":
		last := &p.command.calls[len(p.command.calls)-1]
		last.answer, last.answered = frame[4:], true
		p.expect = "method"
	case dir == "kong->plugin":
		call := &kong_plugin_protocol.RpcCall{}
		if err := proto.Unmarshal(frame[4:], call); err != nil {
			p.t.Fatalf("%s: %v", p.r.name, err)
		}
		p.command = &command{call: call}
		p.r.commands = append(p.r.commands, p.command)
		p.expect = "return"
		if call.GetCmdHandleEvent() != nil {
			p.expect = "method"
		}
	case p.expect == "method" && len(frame) == 4:
		p.expect = "return"
	case p.expect == "method":
		p.method, p.expect = string(frame[4:]), "argument"
	case p.expect == "argument":
		p.command.calls = append(p.command.calls, pdkCall{method: p.method, argument: frame[4:]})
		p.expect = "answer"
	case p.expect == "return":
		p.command.reply = frame[4:]
	}
}

// readHTTPReply reads one answer as curl -i shows it, after a comment line.
func readHTTPReply(text string) httpReply {
	_, text, _ = strings.Cut(text, "\n")
	head, body, _ := strings.Cut(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n")
	lines := strings.Split(head, "\n")
	reply := httpReply{status: lines[0], body: body}
	for _, line := range lines[1:] {
		if name, value, ok := strings.Cut(line, ":"); ok {
			reply.fields = append(reply.fields, field{name, strings.TrimSpace(value)})
		}
	}
	return reply
}
