package pluginserver

import (
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"
)

func listener(t *testing.T, serve func(conn net.Conn)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { defer conn.Close(); serve(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); conns.Wait() })
	return path
}

func obey(t *testing.T, event func(conn net.Conn, call *kong_plugin_protocol.RpcCall) bool) func(net.Conn) {
	var last atomic.Int32
	return func(conn net.Conn) {
		for {
			text, err := readFrame(conn, 10*time.Second)
			if err != nil {
				return
			}
			var call kong_plugin_protocol.RpcCall
			if err := proto.Unmarshal(text, &call); err != nil {
				t.Error(err)
				return
			}
			reply := &kong_plugin_protocol.RpcReturn{Sequence: call.Sequence}
			switch {
			case call.GetCmdStartInstance() != nil:
				reply.Return = &kong_plugin_protocol.RpcReturn_InstanceStatus{InstanceStatus: &kong_plugin_protocol.InstanceStatus{InstanceId: last.Add(1)}}
			case call.GetCmdHandleEvent() != nil:
				if event != nil && !event(conn, &call) {
					return
				}
				_ = writeFrame(conn, time.Second, nil)
			}
			text, _ = proto.Marshal(reply)
			if writeFrame(conn, time.Second, text) != nil {
				return
			}
		}
	}
}

type caller struct {
	err  error
	mu   sync.Mutex
	kept []io.Closer
}

func (c *caller) Call(_ string, argument []byte) ([]byte, error) { return argument, c.err }

func (c *caller) Keep(conn io.Closer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = append(c.kept, conn)
}

func newPlugin(t *testing.T, path string, workers int, read time.Duration) (*Plugin, *caller, *Sockets) {
	t.Helper()
	sockets := NewSockets(Timeouts{Connect: time.Second, Send: time.Second, Read: read})
	c := &caller{}
	t.Cleanup(func() {
		sockets.Close()
		for _, conn := range c.kept {
			conn.Close()
		}
	})
	return NewPlugin("p", path, workers, sockets, slog.New(slog.DiscardHandler)), c, sockets
}

var one = Entity{ID: "e", Seq: 1, Config: []byte("{}")}
