package plugins_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	wire "github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"

	"github.com/kong/keg"
	"github.com/kong/keg/hub"
	"github.com/kong/keg/kong/server"
	"github.com/kong/keg/plugins"
	"github.com/kong/keg/router"
	"github.com/kong/keg/test/logtest"
)

// kong is the other end of the plugin server's socket: it starts instances and
// runs requests through their phases, as a worker of Kong's does.
type kong struct {
	hub    *hub.Hub
	room   *plugins.LogRoom
	sinks  *memory
	log    *logtest.Log
	socket string
}

// newKong serves the plugins over sinks in memory.
func newKong(t testing.TB, o plugins.Options) *kong { return newKongOver(t, o, hub.Options{}) }

// newKongOver does so with a hub of other options.
func newKongOver(t testing.TB, o plugins.Options, over hub.Options) *kong {
	t.Helper()
	k := &kong{sinks: newMemory(), log: &logtest.Log{}, socket: filepath.Join(t.TempDir(), "keg.socket")}
	log := slog.New(slog.NewTextHandler(k.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	over.Sinks, over.Log = k.sinks, log
	k.hub, k.room = hub.New(over), plugins.NewLogRoom(log)
	k.hub.Start()
	o.Hub, o.LogRoom, o.Log, o.Version = k.hub, k.room, log, "1.2.3"
	o.Routes = router.Options{Types: append(slices.Clip(memoryTypes), kafkaType())}
	s, err := server.New(server.Options{Socket: k.socket, Plugins: plugins.All(o), Log: log, Drain: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the plugin server: %v", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := k.room.Close(ctx); err != nil {
			t.Errorf("the log phases' room: %v", err)
		}
		if err := k.hub.Close(ctx); err != nil {
			t.Errorf("the hub: %v", err)
		}
	})
	return k
}

func (k *kong) dial(t testing.TB) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", k.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

// start starts an instance of event-router, or tells that it could not be.
func (k *kong) start(t testing.TB, config string) (id int32, ok bool) {
	t.Helper()
	return k.startOf(t, "event-router", config)
}

// startOf starts an instance of a plugin.
func (k *kong) startOf(t testing.TB, plugin, config string) (id int32, ok bool) {
	t.Helper()
	returned, err := k.command(t, &wire.RpcCall{Sequence: 1, Call: &wire.RpcCall_CmdStartInstance{
		CmdStartInstance: &wire.CmdStartInstance{Name: plugin, Config: []byte(config)},
	}})
	return returned.GetInstanceStatus().GetInstanceId(), err == nil
}

func (k *kong) close(t testing.TB, id int32) {
	t.Helper()
	if _, err := k.command(t, &wire.RpcCall{Sequence: 1, Call: &wire.RpcCall_CmdCloseInstance{
		CmdCloseInstance: &wire.CmdCloseInstance{InstanceId: id},
	}}); err != nil {
		t.Errorf("closing the instance: %v", err)
	}
}

func (k *kong) command(t testing.TB, call *wire.RpcCall) (*wire.RpcReturn, error) {
	t.Helper()
	conn := k.dial(t)
	defer conn.Close()
	encoded, err := proto.Marshal(call)
	if err != nil {
		t.Fatal(err)
	}
	writeFrame(t, conn, encoded)
	frame, err := readFrame(conn)
	if err != nil {
		return nil, err
	}
	returned := &wire.RpcReturn{}
	return returned, proto.Unmarshal(frame, returned)
}

// request is what a client sent.
type request struct {
	line     string // POST /events HTTP/1.1, where empty
	id       string
	headers  map[string][]string
	body     string
	bodyFile string // instead of the body
	noBody   string // why there is none

	consumer, route, service proto.Message // nil where there is none
}

// reply is what a plugin did with a request.
type reply struct {
	status  int // 0 where it let the request go on
	headers http.Header
	body    string
	asked   []string
}

// event runs a request through the instance's access phase.
func (k *kong) event(t testing.TB, instance int32, r request) reply {
	t.Helper()
	conn := k.begin(t, instance, "access")
	defer conn.Close()
	var got reply
	for {
		method, err := readFrame(conn)
		if err != nil {
			t.Fatalf("Kong would run the event again: %v", err)
		}
		argument, err := readFrame(conn)
		if err != nil {
			t.Fatal(err)
		}
		switch string(method) {
		case "":
			return got // what follows was the RpcReturn
		case "kong.response.exit":
			exit := &wire.ExitArgs{}
			if err := proto.Unmarshal(argument, exit); err != nil {
				t.Fatal(err)
			}
			got.status, got.body, got.headers = int(exit.Status), string(exit.Body), http.Header{}
			for name, value := range exit.Headers.GetFields() {
				for _, one := range value.GetListValue().GetValues() {
					got.headers.Add(name, one.GetStringValue())
				}
			}
			return got
		}
		name := called(t, method, argument)
		got.asked = append(got.asked, name)
		writeFrame(t, conn, r.answer(t, name))
	}
}

// leave begins a request and goes away after so many answers.
func (k *kong) leave(t testing.TB, instance int32, r request, answers int) {
	t.Helper()
	conn := k.begin(t, instance, "access")
	defer conn.Close()
	for range answers {
		method, err := readFrame(conn)
		if err != nil {
			t.Fatal(err)
		}
		argument, err := readFrame(conn)
		if err != nil {
			t.Fatal(err)
		}
		writeFrame(t, conn, r.answer(t, called(t, method, argument)))
	}
}

// begin opens a connection and sends the command that runs a phase.
func (k *kong) begin(t testing.TB, instance int32, phase string) net.Conn {
	t.Helper()
	conn := k.dial(t)
	beginOn(t, conn, instance, phase)
	return conn
}

// beginOn does so on a connection that is idle.
func beginOn(t testing.TB, conn net.Conn, instance int32, phase string) {
	t.Helper()
	encoded, err := proto.Marshal(&wire.RpcCall{Sequence: 7, Call: &wire.RpcCall_CmdHandleEvent{
		CmdHandleEvent: &wire.CmdHandleEvent{InstanceId: instance, EventName: phase},
	}})
	if err != nil {
		t.Fatal(err)
	}
	writeFrame(t, conn, encoded)
}

// called names a call, with the variable that it asks for.
func called(t testing.TB, method, argument []byte) string {
	if string(method) == "kong.nginx.get_var" {
		return string(method) + " " + text(t, argument)
	}
	return string(method)
}

func (r request) answer(t testing.TB, name string) []byte {
	marshal := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	switch name {
	case "kong.request.get_headers":
		return headersFrame(r.headers)
	case "kong.request.get_raw_body":
		switch {
		case r.bodyFile != "":
			return marshal(&wire.RawBodyResult{Kind: &wire.RawBodyResult_BodyFilepath{BodyFilepath: r.bodyFile}})
		case r.noBody != "":
			return marshal(&wire.RawBodyResult{Kind: &wire.RawBodyResult_Error{Error: r.noBody}})
		}
		return marshal(&wire.RawBodyResult{Kind: &wire.RawBodyResult_Content{Content: []byte(r.body)}})
	case "kong.request.get_header":
		return marshal(&wire.String{V: keg.Headers(r.headers).Get("content-type")})
	case "kong.request.get_method", "kong.nginx.get_var request_uri", "kong.request.get_raw_query":
		method, target, _ := strings.Cut(r.line, " ")
		target, _, _ = strings.Cut(target, " ")
		_, query, _ := strings.Cut(target, "?")
		return marshal(&wire.String{V: map[string]string{
			"kong.request.get_method": method, "kong.nginx.get_var request_uri": target, "kong.request.get_raw_query": query,
		}[name]})
	case "kong.nginx.get_var kong_request_id":
		return marshal(&wire.String{V: r.id})
	case "kong.nginx.get_var request":
		if r.line == "" {
			r.line = "POST /events HTTP/1.1"
		}
		return marshal(&wire.String{V: r.line})
	}
	entity, ok := map[string]proto.Message{
		"kong.client.get_consumer": r.consumer, "kong.router.get_route": r.route, "kong.router.get_service": r.service,
		"kong.client.get_forwarded_ip": &wire.String{V: "192.0.2.7"},
	}[name]
	if !ok {
		t.Errorf("asked for %s", name)
	}
	if entity == nil {
		return nil
	}
	return marshal(entity)
}
