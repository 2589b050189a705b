package server_test

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	wire "github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/kong/keg/kong/server"
)

// The recordings are of a running Kong and a plugin of go-pdk's; package
// gateway holds them for Kong's end.
const recordings = "../gateway/testdata"

// started are the instances that scenarios use and did not start: what the
// recording before them had started.
var started = map[int32]string{
	4:  `{"mode":"hello","note":"global"}`,
	36: `{"mode":"sleep3","note":"n1"}`,
	21: `{"mode":"accept","note":"n1"}`,
	25: `{"mode":"hello","note":"n1"}`,
	45: `{"mode":"hello","note":"n2"}`,
	65: `{"mode":"hello","note":"n2"}`,
	61: `{"mode":"noop","note":"n2"}`,
}

// TestRecordedKongHearsWhatItHeard feeds the server what Kong said, and holds
// what it answers against what go-pdk's server answered.
func TestRecordedKongHearsWhatItHeard(t *testing.T) {
	for _, scenario := range []string{
		"02-first-request-start-instance",
		"03-second-request-same-instance",
		"04-exit-nobody",
		"05-exit-small-body",
		"06-exit-1k-json",
		"07-exit-7000-body",
		"08-exit-9000-body",
		"09-exit-100k-body-tempfile",
		"11-get-zero-length-post",
		"12-many-headers-90",
		"13-many-headers-150-max100",
		"14-many-headers-150-max1000",
		"15-headers-max1",
		"19-passthrough-service-request",
		"20-noop",
		"21-exit-status-only-204",
		"27-slow-plugin-3s",
		"28-client-aborts-during-slow",
		"29-concurrent-first-requests",
		"30-config-change-close-instance",
		"31-config-repost-unchanged",
		"32-config-change-after-62s",
		"41-global-plugin-rewrite-access-response-log",
		"42-global-plugin-no-route-404",
		"43-global-plugin-upstream-down-502",
		"44-global-plugin-short-circuited-by-request-termination",
		"45-start-instance-config-decode-error",
	} {
		t.Run(scenario, func(t *testing.T) {
			socket := serve(t, server.Options{Plugins: []server.Plugin{probePlugin(), narrowPlugin()}})
			r := &replay{t: t, socket: socket, conns: map[int]*kong{}, ids: map[int32]int32{}}
			before := newKong(t, dial(t, socket))
			for id, config := range started {
				r.ids[id] = before.start("go-probe", config)
			}
			for record := range readRecording(t, scenario) {
				r.step(record)
			}
			if r.compared < 1 {
				t.Error("nothing was compared")
			}
		})
	}
}

// narrowPlugin has a config that scenario 45 does not fit into.
func narrowPlugin() server.Plugin {
	type narrow struct {
		Small int32 `kong:"i32" doc:"A number of 32 bits."`
	}
	p := echo("go-schema", nil)
	p.Config = func() any { return new(narrow) }
	p.Start = func(any) (server.Instance, error) { return &echoInstance{}, nil }
	return p
}

type record struct {
	Conn            int
	Dir, Event, Hex string
	Type, Text      string
}

func readRecording(t *testing.T, scenario string) func(func(record) bool) {
	file, err := os.Open(filepath.Join(recordings, scenario+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(record) bool) {
		defer file.Close()
		lines := bufio.NewScanner(file)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			var r record
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				t.Fatal(err)
			}
			if !yield(r) {
				return
			}
		}
	}
}

type replay struct {
	t        *testing.T
	socket   string
	conns    map[int]*kong
	ids      map[int32]int32 // recorded to ours
	compared int
}

func (r *replay) conn(n int) *kong {
	if r.conns[n] == nil {
		r.conns[n] = newKong(r.t, dial(r.t, r.socket))
	}
	return r.conns[n]
}

func (r *replay) step(rec record) {
	k := r.conn(rec.Conn)
	payload, err := hex.DecodeString(rec.Hex)
	if err != nil {
		r.t.Fatal(err)
	}
	if len(payload) >= 4 {
		payload = payload[4:]
	}
	switch {
	case rec.Event == "connect":
	case strings.HasPrefix(rec.Event, "eof") && rec.Dir == "kong->plugin":
		_ = k.conn.Close()
	case strings.HasPrefix(rec.Event, "eof"):
		if frame, err := k.read(); !errors.Is(err, io.EOF) {
			r.t.Errorf("got %q, %v; the recorded plugin closed the connection", frame, err)
		}
		r.compared++
	case rec.Dir == "kong->plugin":
		r.say(k, rec, payload)
	default:
		r.hear(k, rec, payload)
	}
}

// say sends what Kong sent, with the ids of our instances.
func (r *replay) say(k *kong, rec record, payload []byte) {
	switch {
	case strings.HasSuffix(rec.Type, "RpcCall"):
		var call wire.RpcCall
		if err := proto.Unmarshal(payload, &call); err != nil {
			r.t.Fatal(err)
		}
		switch c := call.Call.(type) {
		case *wire.RpcCall_CmdHandleEvent:
			c.CmdHandleEvent.InstanceId = r.ids[c.CmdHandleEvent.InstanceId]
		case *wire.RpcCall_CmdCloseInstance:
			c.CmdCloseInstance.InstanceId = r.ids[c.CmdCloseInstance.InstanceId]
		}
		payload = k.encode(&call)
	case strings.HasSuffix(rec.Type, "RawBodyResult"):
		payload = r.bodyFile(payload)
	}
	if err := k.write(payload); err != nil {
		r.t.Fatalf("%s: %v", rec.Text, err)
	}
}

// bodyFile puts a file of our own in the place of one that Kong named.
func (r *replay) bodyFile(payload []byte) []byte {
	var result wire.RawBodyResult
	if err := proto.Unmarshal(payload, &result); err != nil {
		r.t.Fatal(err)
	}
	if result.GetBodyFilepath() == "" {
		return payload
	}
	path := filepath.Join(r.t.TempDir(), "body")
	if err := os.WriteFile(path, make([]byte, 100<<10), 0o600); err != nil {
		r.t.Fatal(err)
	}
	encoded, err := proto.Marshal(&wire.RawBodyResult{Kind: &wire.RawBodyResult_BodyFilepath{BodyFilepath: path}})
	if err != nil {
		r.t.Fatal(err)
	}
	return encoded
}

// hear reads a frame of ours and compares it with the recorded one.
func (r *replay) hear(k *kong, rec record, want []byte) {
	got, err := k.read()
	if err != nil {
		r.t.Fatalf("want %s %s: %v", rec.Type, rec.Text, err)
	}
	r.compared++
	var a, b proto.Message
	switch {
	case strings.HasSuffix(rec.Type, "RpcReturn"):
		r.hearReturn(got, want)
		return
	case strings.HasSuffix(rec.Type, "ExitArgs"):
		a, b = &wire.ExitArgs{}, &wire.ExitArgs{}
	case strings.HasSuffix(rec.Type, "KV"):
		a, b = &wire.KV{}, &wire.KV{}
	default:
		if string(got) != string(want) {
			r.t.Fatalf("%s: got %q, recorded %q", rec.Type, got, want)
		}
		return
	}
	if err := errors.Join(proto.Unmarshal(got, a), proto.Unmarshal(want, b)); err != nil {
		r.t.Fatal(err)
	}
	if exit, ok := b.(*wire.ExitArgs); ok && len(exit.Headers.GetFields()) == 0 {
		exit.Headers = nil // the same to Kong
	}
	if !proto.Equal(a, b) {
		r.t.Fatalf("got %v, recorded %v", a, b)
	}
}

func (r *replay) hearReturn(got, want []byte) {
	var a, b wire.RpcReturn
	if err := errors.Join(proto.Unmarshal(got, &a), proto.Unmarshal(want, &b)); err != nil {
		r.t.Fatal(err)
	}
	if a.Sequence != b.Sequence || (a.GetInstanceStatus() == nil) != (b.GetInstanceStatus() == nil) {
		r.t.Fatalf("got %v, recorded %v", &a, &b)
	}
	status := a.GetInstanceStatus()
	if status == nil {
		return
	}
	if status.Name != "go-probe" || status.StartedAt == 0 {
		r.t.Errorf("status %v", status)
	}
	recorded := b.GetInstanceStatus()
	if recorded.Name == "---" { // go-pdk's name for one that was closed
		if status.InstanceId != r.ids[recorded.InstanceId] {
			r.t.Errorf("closed %d, want %d", status.InstanceId, r.ids[recorded.InstanceId])
		}
		return
	}
	r.ids[recorded.InstanceId] = status.InstanceId
}

func stringValue(s string) (*structpb.Value, error) { return structpb.NewValue(s) }

// TestWhereTheRecordedPluginDiedTheClientHears500: the recorded plugin's
// process ended in a panic, was started again, and Kong ran the event again.
func TestWhereTheRecordedPluginDiedTheClientHears500(t *testing.T) {
	socket := serve(t, server.Options{Plugins: []server.Plugin{probePlugin()}})
	k := newKong(t, dial(t, socket))
	panicking := k.start("go-probe", `{"mode":"panic","note":"n1"}`)
	healthy := k.start("go-probe", `{"mode":"noop","note":"n1"}`)
	for range 50 {
		k := newKong(t, dial(t, socket))
		answer := k.exit(panicking, "access")
		if answer.Status != 500 || !json.Valid(answer.Body) {
			t.Fatalf("answered %d %s", answer.Status, answer.Body)
		}
		if got := answer.Headers.GetFields()["Content-Type"].GetListValue().GetValues()[0].GetStringValue(); got != "application/problem+json" {
			t.Errorf("Content-Type %q", got)
		}
	}
	k.event(healthy, "access")
}
