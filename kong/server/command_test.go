package server

import (
	"testing"

	wire "github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

func TestCommandsAreRead(t *testing.T) {
	for _, test := range []struct {
		name string
		call *wire.RpcCall
		want command
	}{
		{"names", &wire.RpcCall{Sequence: 7, Call: &wire.RpcCall_CmdGetPluginNames{CmdGetPluginNames: &wire.CmdGetPluginNames{}}}, command{sequence: 7, kind: getPluginNames}},
		{"info", &wire.RpcCall{Call: &wire.RpcCall_CmdGetPluginInfo{CmdGetPluginInfo: &wire.CmdGetPluginInfo{Name: "p"}}}, command{kind: getPluginInfo, name: "p"}},
		{"start", &wire.RpcCall{Sequence: -1, Call: &wire.RpcCall_CmdStartInstance{CmdStartInstance: &wire.CmdStartInstance{Name: "p", Config: []byte("{}")}}},
			command{sequence: -1, kind: startInstance, name: "p", config: []byte("{}")}},
		{"status", &wire.RpcCall{Call: &wire.RpcCall_CmdGetInstanceStatus{CmdGetInstanceStatus: &wire.CmdGetInstanceStatus{InstanceId: 5}}}, command{kind: getInstanceStatus, instance: 5}},
		{"close", &wire.RpcCall{Call: &wire.RpcCall_CmdCloseInstance{CmdCloseInstance: &wire.CmdCloseInstance{InstanceId: -5}}}, command{kind: closeInstance, instance: -5}},
		{"event", &wire.RpcCall{Sequence: 1 << 40, Call: &wire.RpcCall_CmdHandleEvent{CmdHandleEvent: &wire.CmdHandleEvent{InstanceId: 9, EventName: "access"}}},
			command{sequence: 1 << 40, kind: handleEvent, instance: 9, phase: Access}},
		{"event of a phase that nobody knows", &wire.RpcCall{Call: &wire.RpcCall_CmdHandleEvent{CmdHandleEvent: &wire.CmdHandleEvent{InstanceId: 9, EventName: "dusk"}}},
			command{kind: handleEvent, instance: 9, phase: "dusk"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			encoded, err := proto.Marshal(test.call)
			if err != nil {
				t.Fatal(err)
			}
			got, err := readCommand(encoded)
			if err != nil {
				t.Fatal(err)
			}
			if !sameCommand(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func sameCommand(a, b command) bool {
	return a.sequence == b.sequence && a.kind == b.kind && a.name == b.name &&
		string(a.config) == string(b.config) && a.instance == b.instance && a.phase == b.phase
}

func TestAnRpcCallMayBringItsFieldsInAnyOrder(t *testing.T) {
	// As lua-protobuf writes them: the phase before the instance, the sequence last.
	event := appendField(nil, 2, "log")
	event = protowire.AppendVarint(protowire.AppendTag(event, 1, protowire.VarintType), 4)
	message := appendField(nil, handleEvent, event)
	message = protowire.AppendVarint(protowire.AppendTag(message, 77, protowire.VarintType), 1)
	message = protowire.AppendVarint(protowire.AppendTag(message, 1, protowire.VarintType), 12)
	got, err := readCommand(message)
	if err != nil || !sameCommand(got, command{sequence: 12, kind: handleEvent, instance: 4, phase: Log}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestWhatIsNoCommandIsAnError(t *testing.T) {
	for name, message := range map[string][]byte{
		"nothing":               nil,
		"junk":                  []byte("GET / HTTP/1.1\r\n\r\n"),
		"a sequence alone":      {8, 1},
		"a truncated command":   {162, 2, 10, 8, 21},
		"a number as a command": {160, 2, 1},
	} {
		if c, err := readCommand(message); err == nil {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

func FuzzCommand(f *testing.F) {
	f.Add([]byte{162, 2, 10, 8, 21, 18, 6, 97, 99, 99, 101, 115, 115, 8, 12})
	f.Fuzz(func(t *testing.T, message []byte) {
		got, err := readCommand(message)
		var want wire.RpcCall
		if proto.Unmarshal(message, &want) != nil || want.Call == nil || err != nil {
			return
		}
		if got.sequence != want.Sequence {
			t.Errorf("sequence %d, want %d", got.sequence, want.Sequence)
		}
	})
}
