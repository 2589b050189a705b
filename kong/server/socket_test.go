package server_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kong/keg/kong/server"
	"github.com/kong/keg/test/logtest"
)

func TestTheSocketIsForItsOwnerOnly(t *testing.T) {
	info, err := os.Lstat(serve(t, server.Options{Plugins: []server.Plugin{echo("p", nothing)}}))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestTheSocketsModeCanBeChosen(t *testing.T) {
	info, err := os.Lstat(serve(t, server.Options{SocketMode: 0o660, Plugins: []server.Plugin{echo("p", nothing)}}))
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestAStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	serve(t, server.Options{Socket: path, Plugins: []server.Plugin{echo("p", nothing)}})
	k := newKong(t, dial(t, path))
	k.event(k.start("p", `{}`), "access")
}

func TestWhatIsNoSocketIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(path, []byte("dear diary"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{path, filepath.Dir(path)} {
		s, err := server.New(server.Options{Socket: place, Plugins: []server.Plugin{echo("p", nothing)}})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Listen(); err == nil || !strings.Contains(err.Error(), place) || !strings.Contains(err.Error(), "is no socket") {
			t.Errorf("Listen: %v", err)
		}
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "dear diary" {
		t.Errorf("the file holds %q, %v", content, err)
	}
}

func TestPathsThatCannotBeSockets(t *testing.T) {
	for name, test := range map[string]struct{ path, want string }{
		"too long":     {"/tmp/" + strings.Repeat("x", 103), "108 bytes long"},
		"none":         {"", "needs a path"},
		"no directory": {filepath.Join(t.TempDir(), "none", "s"), "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := server.New(server.Options{Socket: test.path, Plugins: []server.Plugin{echo("p", nothing)}})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Listen(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Listen: %v, want %q", err, test.want)
			}
		})
	}
}

func TestTheLongestPathWorks(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "k")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, length := range []int{107, len(dir) + 2} { // the longest there is, and one whose neighbour's name is longer
		path := filepath.Join(dir, strings.Repeat("s", length-len(dir)-1))
		socket := serve(t, server.Options{Socket: path, Plugins: []server.Plugin{echo("p", nothing)}})
		k := newKong(t, dial(t, socket))
		k.event(k.start("p", `{}`), "access")
	}
	deep := filepath.Join(dir, strings.Repeat("d", 107-len(dir)-3))
	if err := os.Mkdir(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	socket := serve(t, server.Options{Socket: filepath.Join(deep, "s"), Plugins: []server.Plugin{echo("p", nothing)}})
	dial(t, socket)
}

func TestANewServerTakesThePathOverAndTheOldOneLeavesItAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	var log logtest.Log
	older := start(t, server.Options{Socket: path, Plugins: []server.Plugin{echo("old", nothing)}})
	kept := newKong(t, dial(t, path))
	id := kept.start("old", `{}`)

	serve(t, server.Options{Socket: path, Log: log.Logger(), Plugins: []server.Plugin{echo("new", nothing)}})
	if len(log.Lines("taking the plugin socket over")) != 1 {
		t.Errorf("the log says %s", log.String())
	}
	kept.event(id, "access") // on the old one, which goes on for those who are connected
	fresh := newKong(t, dial(t, path))
	fresh.event(fresh.start("new", `{}`), "access")

	_ = kept.conn.Close()
	older.stop()
	if err := older.wait(t); err != nil {
		t.Fatal(err)
	}
	after := newKong(t, dial(t, path))
	after.event(after.start("new", `{}`), "access")
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestThereIsNoMomentWithoutASocketWhileServersTakeOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first := start(t, server.Options{Socket: path, Plugins: []server.Plugin{echo("p", nothing)}})
	stop, dialled := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				dialled <- nil
				return
			default:
			}
			c, err := net.Dial("unix", path)
			if err != nil {
				dialled <- err
				return
			}
			_ = c.Close()
		}
	}()
	servers := []*stopping{first}
	for range 20 {
		servers = append(servers, start(t, server.Options{Socket: path, Plugins: []server.Plugin{echo("p", nothing)}}))
		servers[len(servers)-2].stop()
	}
	close(stop)
	if err := <-dialled; err != nil {
		t.Errorf("a connection was refused: %v", err)
	}
	servers[len(servers)-1].stop()
	for _, s := range servers {
		if err := s.wait(t); err != nil {
			t.Error(err)
		}
	}
}
