package server_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"

	wire "github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// kong is Kong's side of one connection, as its Lua code plays it: one command
// at a time, the calls of an event answered one after the other.
type kong struct {
	t        testing.TB
	conn     net.Conn
	sequence int64
	// answers are messages, encoded frames, or fields of a Struct, by method.
	answers map[string]any
	asked   []ask
}

// ask is a call that the plugin made.
type ask struct {
	method   string
	argument []byte
}

func newKong(t testing.TB, conn net.Conn) *kong { return &kong{t: t, conn: conn} }

var errExited = errors.New("the plugin ended the request")

func (k *kong) write(payload []byte) error {
	frame := binary.LittleEndian.AppendUint32(nil, uint32(len(payload)))
	_, err := k.conn.Write(append(frame, payload...))
	return err
}

func (k *kong) read() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(k.conn, head[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.LittleEndian.Uint32(head[:]))
	_, err := io.ReadFull(k.conn, frame)
	return frame, err
}

// call sends a command and reads the answer, answering the plugin's calls if
// it is an event.
func (k *kong) call(command *wire.RpcCall) (*wire.RpcReturn, error) {
	k.sequence++
	command.Sequence = k.sequence
	encoded, err := proto.Marshal(command)
	if err != nil {
		return nil, err
	}
	if err := k.write(encoded); err != nil {
		return nil, err
	}
	if command.GetCmdHandleEvent() != nil {
		if err := k.bridge(); err != nil {
			return nil, err
		}
	}
	frame, err := k.read()
	if err != nil {
		return nil, err
	}
	answer := &wire.RpcReturn{}
	if err := proto.Unmarshal(frame, answer); err != nil {
		return nil, err
	}
	if answer.Sequence != command.Sequence {
		k.t.Errorf("sequence %d was answered with %d", command.Sequence, answer.Sequence)
	}
	return answer, nil
}

func (k *kong) bridge() error {
	for {
		method, err := k.read()
		if err != nil || len(method) == 0 {
			return err
		}
		argument, err := k.read()
		if err != nil {
			return err
		}
		k.asked = append(k.asked, ask{string(method), argument})
		if string(method) == "kong.response.exit" {
			return errExited
		}
		if err := k.write(k.encode(k.answers[string(method)])); err != nil {
			return err
		}
	}
}

func (k *kong) encode(answer any) []byte {
	switch a := answer.(type) {
	case nil:
		return nil
	case []byte:
		return a
	case map[string]any:
		s, err := structpb.NewStruct(a)
		if err != nil {
			k.t.Fatal(err)
		}
		return k.encode(s)
	case proto.Message:
		encoded, err := proto.Marshal(a)
		if err != nil {
			k.t.Fatal(err)
		}
		return encoded
	}
	k.t.Fatalf("no answer: %T", answer)
	return nil
}

func startCommand(name, config string) *wire.RpcCall {
	return &wire.RpcCall{Call: &wire.RpcCall_CmdStartInstance{CmdStartInstance: &wire.CmdStartInstance{Name: name, Config: []byte(config)}}}
}

func eventCommand(id int32, phase string) *wire.RpcCall {
	return &wire.RpcCall{Call: &wire.RpcCall_CmdHandleEvent{CmdHandleEvent: &wire.CmdHandleEvent{InstanceId: id, EventName: phase}}}
}

func closeCommand(id int32) *wire.RpcCall {
	return &wire.RpcCall{Call: &wire.RpcCall_CmdCloseInstance{CmdCloseInstance: &wire.CmdCloseInstance{InstanceId: id}}}
}

// start starts an instance and returns its id.
func (k *kong) start(name, config string) int32 {
	k.t.Helper()
	answer, err := k.call(startCommand(name, config))
	if err != nil {
		k.t.Fatalf("starting %s: %v", name, err)
	}
	return answer.GetInstanceStatus().GetInstanceId()
}

// event runs a phase that must end without an exit.
func (k *kong) event(id int32, phase string) {
	k.t.Helper()
	if _, err := k.call(eventCommand(id, phase)); err != nil {
		k.t.Fatalf("event %s: %v", phase, err)
	}
}

// exit runs a phase that must end with an exit, and returns its answer. The
// connection is closed then, as Kong does.
func (k *kong) exit(id int32, phase string) *wire.ExitArgs {
	k.t.Helper()
	if _, err := k.call(eventCommand(id, phase)); !errors.Is(err, errExited) {
		k.t.Fatalf("event %s: %v, want an exit", phase, err)
	}
	answer := &wire.ExitArgs{}
	if err := proto.Unmarshal(k.asked[len(k.asked)-1].argument, answer); err != nil {
		k.t.Fatal(err)
	}
	_ = k.conn.Close()
	return answer
}
