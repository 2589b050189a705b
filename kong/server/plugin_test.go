package server_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	wire "github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg/kong/server"
)

// all handles every phase and tells which.
type all struct{ seen chan string }

func (a all) saw(c *server.Call) error { a.seen <- string(c.Phase()); return nil }

func (a all) Certificate(_ context.Context, c *server.Call) error { return a.saw(c) }
func (a all) Rewrite(_ context.Context, c *server.Call) error     { return a.saw(c) }
func (a all) Access(_ context.Context, c *server.Call) error      { return a.saw(c) }
func (a all) Response(_ context.Context, c *server.Call) error    { return a.saw(c) }
func (a all) Preread(_ context.Context, c *server.Call) error     { return a.saw(c) }
func (a all) Log(_ context.Context, c *server.Call) error         { return a.saw(c) }
func (a all) Close() error                                        { return nil }

func TestEveryPhaseReachesItsMethod(t *testing.T) {
	seen := make(chan string, 1)
	p := echo("p", nil)
	p.Phases = []server.Phase{server.Certificate, server.Rewrite, server.Access, server.Response, server.Preread, server.Log}
	p.Start = func(any) (server.Instance, error) { return all{seen}, nil }
	k := newKong(t, dial(t, serve(t, server.Options{Plugins: []server.Plugin{p}})))
	id := k.start("p", `{}`)
	for _, phase := range p.Phases {
		k.event(id, string(phase))
		if got := <-seen; got != string(phase) {
			t.Errorf("%s reached %s", phase, got)
		}
	}
}

func TestAPhaseThatIsNotDeclaredIsAnErrorAndNoClose(t *testing.T) {
	p := echo("p", nothing)
	p.Phases = []server.Phase{server.Access}
	k := newKong(t, dial(t, serve(t, server.Options{Plugins: []server.Plugin{p}})))
	id := k.start("p", `{}`)
	k.event(id, "log")
	k.event(id, "dusk")
	if answer := k.exit(id, "rewrite"); answer.Status != 500 {
		t.Errorf("answered %d", answer.Status)
	}
}

func TestSeveralPluginsShareASocket(t *testing.T) {
	seen := make(chan string, 1)
	say := func(name string) server.Plugin {
		return echo(name, func(context.Context, *server.Call) error { seen <- name; return nil })
	}
	k := newKong(t, dial(t, serve(t, server.Options{Plugins: []server.Plugin{say("a"), say("b")}})))
	for _, name := range []string{"b", "a", "b"} {
		k.event(k.start(name, `{}`), "access")
		if got := <-seen; got != name {
			t.Errorf("%s reached %s", name, got)
		}
	}
}

func TestTheServerDescribesItsPlugins(t *testing.T) {
	k := newKong(t, dial(t, serve(t, server.Options{Plugins: []server.Plugin{echo("a", nothing), probePlugin()}})))
	names, err := k.call(&wire.RpcCall{Call: &wire.RpcCall_CmdGetPluginNames{CmdGetPluginNames: &wire.CmdGetPluginNames{}}})
	if err != nil || !slices.Equal(names.GetPluginNames().GetNames(), []string{"a", "go-probe"}) {
		t.Errorf("names %v, %v", names, err)
	}
	answer, err := k.call(&wire.RpcCall{Call: &wire.RpcCall_CmdGetPluginInfo{CmdGetPluginInfo: &wire.CmdGetPluginInfo{Name: "go-probe"}}})
	if err != nil {
		t.Fatal(err)
	}
	info := answer.GetPluginInfo()
	if info.Name != "go-probe" || info.Version != "0.1" || info.Priority != 900 || !json.Valid([]byte(info.Schema)) ||
		!slices.Equal(info.Phases, []string{"rewrite", "access", "response", "log"}) {
		t.Errorf("info %v", info)
	}
	id := k.start("go-probe", `{}`)
	status, err := k.call(&wire.RpcCall{Call: &wire.RpcCall_CmdGetInstanceStatus{CmdGetInstanceStatus: &wire.CmdGetInstanceStatus{InstanceId: id}}})
	if err != nil || status.GetInstanceStatus().GetInstanceId() != id {
		t.Errorf("status %v, %v", status, err)
	}
}

func TestDumpIsTheRecordedDocument(t *testing.T) {
	// As go-pdk's query command printed it for the probe, but for the
	// descriptions and the socket.
	got, err := server.Dump(probePlugin(), "/usr/local/kong/keg.socket")
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Protocol":"ProtoBuf:1","SocketPath":"/usr/local/kong/keg.socket","Plugins":[{"Name":"go-probe","Version":"0.1","Priority":900,` +
		`"Phases":["rewrite","access","response","log"],"Schema":{"name":"go-probe","fields":[{"config":{"type":"record","fields":[` +
		`{"mode":{"type":"string","description":"What the access phase does."}},{"note":{"type":"string","description":"What the answer mentions."}}]}}]}}]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestPluginsThatKongWouldNotStartWithAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*server.Plugin)
		want   string
	}{
		"no name":        {func(p *server.Plugin) { p.Name = "" }, "no name"},
		"no version":     {func(p *server.Plugin) { p.Version = "" }, "no version"},
		"no phases":      {func(p *server.Plugin) { p.Phases = nil }, "no phases"},
		"a wrong phase":  {func(p *server.Plugin) { p.Phases = []server.Phase{"dusk"} }, `"dusk"`},
		"no config":      {func(p *server.Plugin) { p.Config = nil }, "Config"},
		"no start":       {func(p *server.Plugin) { p.Start = nil }, "Start"},
		"a config value": {func(p *server.Plugin) { p.Config = func() any { return echoConfig{} } }, "pointer to a struct"},
		"a config without descriptions": {func(p *server.Plugin) {
			p.Config = func() any {
				return new(struct {
					A string `kong:"a"`
				})
			}
		}, "config.a: the tag doc"},
	} {
		t.Run(name, func(t *testing.T) {
			p := echo("p", nothing)
			test.change(&p)
			if _, err := server.New(server.Options{Plugins: []server.Plugin{p}}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("New: %v, want %q", err, test.want)
			}
			if _, err := server.Dump(p, "/s"); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Dump: %v, want %q", err, test.want)
			}
		})
	}
	if _, err := server.New(server.Options{Plugins: []server.Plugin{echo("p", nothing), echo("p", nothing)}}); err == nil || !strings.Contains(err.Error(), "two plugins") {
		t.Errorf("two of a name: %v", err)
	}
	if _, err := server.New(server.Options{}); err == nil {
		t.Error("a server without plugins was made")
	}
}
