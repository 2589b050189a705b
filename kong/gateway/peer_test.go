package gateway

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"
)

// peer is a plugin server that plays a recording back: it does what the recorded
// plugin did, and holds what it hears against what the recorded Kong said.
type peer struct {
	t        *testing.T
	socket   string
	listener net.Listener
	same     func(method string, recorded, heard []byte) error

	mu       sync.Mutex
	lenient  bool       // an answer that does not come is no failure
	refuse   string     // the plugin whose instances do not start
	script   []*command // events that are still to come
	heard    []string   // what came, as recording's what
	configs  []string
	sequence []int64
	nextID   int32
	active   int           // events that are being played
	done     chan struct{} // closed when the script is played
	open     map[net.Conn]bool
	conns    sync.WaitGroup
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	p := &peer{t: t, socket: filepath.Join(t.TempDir(), "plugin.socket"), nextID: 100, open: map[net.Conn]bool{}}
	var err error
	if p.listener, err = net.Listen("unix", p.socket); err != nil {
		t.Fatal(err)
	}
	p.conns.Go(p.accept)
	t.Cleanup(func() { p.listener.Close(); p.conns.Wait() })
	return p
}

// play sets what is to come. Starts and closes are answered whether they are in
// the recording or not.
func (p *peer) play(r *recording, same func(method string, recorded, heard []byte) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.script, p.heard, p.configs, p.sequence, p.same = nil, nil, nil, nil, same
	for _, c := range r.commands {
		if c.phase() != "" {
			p.script = append(p.script, c)
		}
	}
	p.done = make(chan struct{})
	if len(p.script) == 0 {
		close(p.done)
	}
}

func (p *peer) accept() {
	listener := p.listener
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.open[conn] = true
		p.mu.Unlock()
		p.conns.Go(func() {
			for p.serve(conn) {
			}
			conn.Close()
			p.mu.Lock()
			delete(p.open, conn)
			p.mu.Unlock()
		})
	}
}

// serve plays one command; false: the connection is done with.
func (p *peer) serve(conn net.Conn) bool {
	text, err := readTestFrame(conn)
	if err != nil {
		return false
	}
	var call kong_plugin_protocol.RpcCall
	if err := proto.Unmarshal(text, &call); err != nil {
		p.t.Errorf("Kong's call: %v", err)
		return false
	}
	heard := &command{call: &call}
	p.mu.Lock()
	p.heard = append(p.heard, heard.what())
	p.sequence = append(p.sequence, call.Sequence)
	var next *command
	done := p.done
	if heard.phase() != "" {
		for i, c := range p.script {
			if c.phase() == heard.phase() {
				next = c
				p.script = append(p.script[:i:i], p.script[i+1:]...)
				p.active++
				break
			}
		}
	}
	p.mu.Unlock()

	switch {
	case call.GetCmdStartInstance() != nil:
		return p.start(conn, &call)
	case call.GetCmdCloseInstance() != nil:
		p.reply(conn, &call, &kong_plugin_protocol.InstanceStatus{Name: "---", InstanceId: call.GetCmdCloseInstance().InstanceId})
		return true
	case next == nil:
		p.t.Errorf("an event came that the recording does not have: %s", heard.phase())
		return false
	}
	more := p.event(conn, &call, next)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.active--; p.active == 0 && len(p.script) == 0 {
		close(done)
	}
	return more
}

func (p *peer) start(conn net.Conn, call *kong_plugin_protocol.RpcCall) bool {
	p.mu.Lock()
	p.nextID++
	id := p.nextID
	p.configs = append(p.configs, string(call.GetCmdStartInstance().Config))
	refused := call.GetCmdStartInstance().Name == p.refuse
	p.mu.Unlock()
	if refused {
		return false
	}
	p.reply(conn, call, &kong_plugin_protocol.InstanceStatus{Name: call.GetCmdStartInstance().Name, InstanceId: id})
	return true
}

func (p *peer) reply(conn net.Conn, call *kong_plugin_protocol.RpcCall, status *kong_plugin_protocol.InstanceStatus) {
	reply := &kong_plugin_protocol.RpcReturn{Sequence: call.Sequence}
	if status != nil {
		reply.Return = &kong_plugin_protocol.RpcReturn_InstanceStatus{InstanceStatus: status}
	}
	text, err := proto.Marshal(reply)
	if err != nil {
		p.t.Error(err)
	}
	writeTestFrames(conn, text)
}

// event makes the recorded PDK calls and compares the answers.
func (p *peer) event(conn net.Conn, call *kong_plugin_protocol.RpcCall, recorded *command) bool {
	for _, c := range recorded.calls {
		writeTestFrames(conn, []byte(c.method), c.argument)
		answer, err := readTestFrame(conn)
		switch {
		case !c.answered && err == nil:
			p.t.Errorf("%s %s: answered with %x; the recorded Kong did not answer", recorded.phase(), c.method, answer)
			return false
		case !c.answered:
			return false // the event was ended
		case err != nil:
			if !p.lenient {
				p.t.Errorf("%s %s: no answer: %v", recorded.phase(), c.method, err)
			}
			return false
		}
		if err := p.same(c.method, c.answer, answer); err != nil {
			p.t.Errorf("%s %s: %v", recorded.phase(), c.method, err)
		}
	}
	if recorded.died {
		return false
	}
	if recorded.reply == nil { // it takes its time, until Kong gives up
		_, _ = io.Copy(io.Discard, conn)
		return false
	}
	writeTestFrames(conn, nil)
	p.reply(conn, call, nil)
	return true
}

func readTestFrame(conn net.Conn) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return nil, err
	}
	payload := make([]byte, binary.LittleEndian.Uint32(head[:]))
	_, err := io.ReadFull(conn, payload)
	return payload, err
}

func writeTestFrames(conn net.Conn, payloads ...[]byte) {
	var frames bytes.Buffer
	for _, payload := range payloads {
		_ = binary.Write(&frames, binary.LittleEndian, uint32(len(payload)))
		frames.Write(payload)
	}
	_, _ = conn.Write(frames.Bytes()) // the test sees what is missing
}

// die closes the socket and all connections, as the end of its process would;
// the returned function brings it back.
func (p *peer) die() (revive func()) {
	p.listener.Close()
	p.mu.Lock()
	for conn := range p.open {
		conn.Close()
	}
	p.mu.Unlock()
	p.conns.Wait()
	return func() {
		listener, err := net.Listen("unix", p.socket)
		if err != nil {
			p.t.Fatal(err)
		}
		p.listener = listener
		p.conns.Go(p.accept)
	}
}

// awaitHeard waits until so many commands have come.
func (p *peer) awaitHeard(n int) {
	p.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		p.mu.Lock()
		heard := len(p.heard)
		p.mu.Unlock()
		if heard >= n {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("heard %q, not %d commands", p.told(), n)
		}
	}
}

// told returns what the peer has heard: "start access response log".
func (p *peer) told() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.heard, " ")
}

// dump is what the query command of a plugin with these phases prints.
func dump(name string, priority int, schema string, phases ...string) []byte {
	return fmt.Appendf(nil, `{"Protocol":"ProtoBuf:1","Plugins":[{"Name":%q,"Version":"0.1","Priority":%d,"Phases":["%s"],"Schema":%s}]}`,
		name, priority, strings.Join(phases, `","`), schema)
}
