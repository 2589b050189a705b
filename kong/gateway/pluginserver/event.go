package pluginserver

import (
	"context"
	"fmt"
	"net"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"
)

// event runs one phase. A connection whose event did not come to its end is
// given to the caller: Kong closes it when the request is over.
func (w *worker) event(ctx context.Context, id int32, phase string, caller Caller) error {
	conn, err := w.pool.take(ctx, w.timeouts.Connect)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	_, err = w.exchange(conn, &kong_plugin_protocol.RpcCall{Call: &kong_plugin_protocol.RpcCall_CmdHandleEvent{
		CmdHandleEvent: &kong_plugin_protocol.CmdHandleEvent{InstanceId: id, EventName: phase}}}, caller)
	if err != nil {
		caller.Keep(conn)
		return err
	}
	w.pool.put(conn)
	return nil
}

// exchange writes a call, answers the PDK calls of an event one after the
// other, never looking ahead, and reads the return.
func (w *worker) exchange(conn net.Conn, call *kong_plugin_protocol.RpcCall, caller Caller) (*kong_plugin_protocol.RpcReturn, error) {
	message, err := w.numbered(call)
	if err != nil {
		return nil, err
	}
	if err := writeFrame(conn, w.timeouts.Send, message); err != nil {
		return nil, err
	}
	if caller != nil {
		if err := w.answer(conn, caller); err != nil {
			return nil, err
		}
	}
	text, err := readFrame(conn, w.timeouts.Read)
	if err != nil {
		return nil, err
	}
	var reply kong_plugin_protocol.RpcReturn
	if err := proto.Unmarshal(text, &reply); err != nil {
		return nil, fmt.Errorf("the plugin's return is no RpcReturn: %w", err)
	}
	if reply.Sequence != call.Sequence {
		return nil, fmt.Errorf("the plugin's return has the sequence %d, not %d", reply.Sequence, call.Sequence)
	}
	return &reply, nil
}

func (w *worker) answer(conn net.Conn, caller Caller) error {
	for {
		method, err := readFrame(conn, w.timeouts.Read)
		if err != nil {
			return err
		}
		if len(method) == 0 {
			return nil
		}
		argument, err := readFrame(conn, w.timeouts.Read)
		if err != nil {
			return err
		}
		result, err := caller.Call(string(method), argument)
		if err != nil {
			return callError{err}
		}
		if err := writeFrame(conn, w.timeouts.Send, result); err != nil {
			return err
		}
	}
}

// callError is an error of a PDK method; it is never a reason to run the event
// again, whatever its text says.
type callError struct{ error }

func (e callError) Unwrap() error { return e.error }
