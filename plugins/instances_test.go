package plugins_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	wire "github.com/Kong/go-pdk/server/kong_plugin_protocol"
	kongclient "github.com/kong/go-kong/kong"
	"google.golang.org/protobuf/proto"

	"github.com/kong/keg/plugins"
)

// TestTwoHundredInstancesOnFiftyRoutes has four workers with fifty plugins each,
// changed and reloaded under load: no request fails, every event arrives once where
// it belongs, and nothing is left behind.
func TestTwoHundredInstancesOnFiftyRoutes(t *testing.T) {
	goroutines, files := settled(t, 0), openFiles()
	var sinks *memory
	t.Run("under load", func(t *testing.T) {
		const routes, workers = 50, 4
		m, ctx := newManaged(t, workers), t.Context()
		sinks = m.sinks
		entities := make([]*kongclient.Plugin, routes)
		for i := range routes {
			_, entities[i] = m.route(t, fmt.Sprintf("r%d", i))
		}
		var over atomic.Bool
		var sent [routes]atomic.Int64
		var load sync.WaitGroup
		for client := range 8 {
			load.Go(func() {
				for n := client; !over.Load() && !t.Failed(); n++ {
					name := fmt.Sprintf("r%d", n%routes)
					id := fmt.Sprintf("%s-%d", name, sent[n%routes].Add(1))
					status, answer, err := m.post(ctx, "/"+name+"/", id)
					if want := fmt.Sprintf(`{"id":%q,"routes":[%q]}`, id, name); err != nil || status != 200 || strings.TrimSpace(answer) != want {
						t.Errorf("%s: %d %s %v", id, status, answer, err)
					}
				}
			})
		}
		await := func(n int64) { // more events
			t.Helper()
			sum := func() (total int64) {
				for i := range sent {
					total += sent[i].Load()
				}
				return total
			}
			for until, end := sum()+n, time.Now().Add(30*time.Second); sum() < until && !t.Failed(); time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("the load does not get on")
				}
			}
		}
		await(2 * routes * workers)
		for i := range 10 {
			e := entities[i*5]
			e.Config["timeout"] = 9000 + i
			if _, err := m.admin.Plugins.Update(ctx, e); err != nil {
				t.Fatal(err)
			}
			await(routes)
		}
		for range 3 {
			config, err := m.admin.Config(ctx)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := json.Marshal(map[string]string{"config": string(config)})
			if err := m.admin.ReloadDeclarativeRawConfig(ctx, bytes.NewReader(body), false, false); err != nil {
				t.Fatal(err)
			}
			await(2 * routes * workers)
		}
		over.Store(true)
		load.Wait()
		for i := range routes {
			name := fmt.Sprintf("r%d", i)
			arrived := map[string]bool{}
			for _, e := range m.sinks.got(name) {
				arrived[e.ID] = true
			}
			if n := int(sent[i].Load()); len(arrived) != n || len(m.sinks.got(name)) != n {
				t.Errorf("%s: %d sent, %d arrived, %d different", name, n, len(m.sinks.got(name)), len(arrived))
			}
		}
		// Of the instances that were replaced, none keeps its sink.
		for end := time.Now().Add(20 * time.Second); m.sinks.opened() > routes*workers; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d sinks are open for %d instances", m.sinks.opened(), routes*workers)
			}
		}
	})
	leftNothing(t, sinks, goroutines, files)
}

// TestTenThousandInstances starts and closes that many, as Kong's workers do when
// configurations change all day.
func TestTenThousandInstances(t *testing.T) {
	goroutines, files := settled(t, 0), openFiles()
	var sinks *memory
	t.Run("in four workers", func(t *testing.T) {
		k := newKong(t, plugins.Options{})
		sinks = k.sinks
		var workers sync.WaitGroup
		for w := range 4 {
			conn := k.dial(t)
			workers.Go(func() {
				for n := range 2500 {
					started, err := call(conn, &wire.RpcCall{Sequence: int64(2 * n), Call: &wire.RpcCall_CmdStartInstance{CmdStartInstance: &wire.CmdStartInstance{
						Name: "event-router", Config: fmt.Appendf(nil, `{"__plugin_id":"p-%d","__seq__":%d,"routes":[{"name":"r","match":{},"destinations":[{"type":"memory","address":"a"}]}]}`, w, n),
					}}})
					if err == nil {
						_, err = call(conn, &wire.RpcCall{Sequence: int64(2*n + 1), Call: &wire.RpcCall_CmdCloseInstance{
							CmdCloseInstance: &wire.CmdCloseInstance{InstanceId: started.GetInstanceStatus().GetInstanceId()},
						}})
					}
					if err != nil {
						t.Errorf("worker %d, instance %d: %v", w, n, err)
						return
					}
				}
			})
		}
		workers.Wait()
		for end := time.Now().Add(20 * time.Second); sinks.opened() > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d sinks are open for no instance", sinks.opened())
			}
		}
	})
	leftNothing(t, sinks, goroutines, files)
}

// call sends one command on a connection that it leaves open.
func call(conn net.Conn, c *wire.RpcCall) (*wire.RpcReturn, error) {
	encoded, err := proto.Marshal(c)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := conn.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(encoded))), encoded...)); err != nil {
		return nil, err
	}
	frame, err := readFrame(conn)
	if err != nil {
		return nil, err
	}
	returned := &wire.RpcReturn{}
	return returned, proto.Unmarshal(frame, returned)
}

// leftNothing fails where sinks, goroutines, files or sockets outlive what has
// ended.
func leftNothing(t *testing.T, sinks *memory, goroutines, files int) {
	t.Helper()
	if n := sinks.opened(); n != 0 {
		t.Errorf("%d sinks are left open", n)
	}
	settled(t, goroutines)
	if left := openFiles(); left > files {
		t.Errorf("%d files and sockets are open, %d were before", left, files)
	}
}

// settled waits until no more goroutines run than most (0: any number), and
// returns how many do.
func settled(t *testing.T, most int) int {
	t.Helper()
	n := runtime.NumGoroutine()
	for end := time.Now().Add(20 * time.Second); most > 0 && n > most; n = runtime.NumGoroutine() {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines run, %d ran before\n%s", n, most, stacks[:runtime.Stack(stacks, true)])
		}
		time.Sleep(time.Millisecond)
	}
	return n
}

// openFiles counts what this process has open, sockets too; 0 where nobody says.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}
