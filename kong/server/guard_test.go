package server_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kong/keg/kong/server"
	"github.com/kong/keg/test/logtest"
)

func TestASocketThatLeadsToNobodyIsTakenAgain(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, path string){
		"the file was removed": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		},
		"a later server took it over and has ended": func(t *testing.T, path string) {
			later := start(t, server.Options{Socket: path, Plugins: []server.Plugin{echo("later", nothing)}})
			later.stop()
			if err := later.wait(t); err != nil {
				t.Fatal(err)
			}
		},
		"a later server was killed, and its file is left": func(t *testing.T, path string) {
			later, err := net.ListenUnix("unix", &net.UnixAddr{Name: path + "2", Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			later.SetUnlinkOnClose(false)
			if err := os.Rename(path+"2", path); err != nil {
				t.Fatal(err)
			}
			_ = later.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "s")
			var log logtest.Log
			serve(t, server.Options{Socket: path, Log: log.Logger(), Plugins: []server.Plugin{echo("p", nothing)}})
			connected := newKong(t, dial(t, path))
			id := connected.start("p", `{}`)
			lose(t, path)
			log.Await(t, "listening for Kong", 2)
			fresh := newKong(t, dial(t, path))
			fresh.event(id, "access") // the instances are the same
			connected.event(id, "access")
			if file, err := os.Stat(path); err != nil || file.Mode().Perm() != 0o600 {
				t.Errorf("the file is %v, %v", file, err)
			}
		})
	}
}

func TestASocketThatALaterServerHasIsLeftToIt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	var log logtest.Log
	serve(t, server.Options{Socket: path, Log: log.Logger(), Plugins: []server.Plugin{echo("p", nothing)}})
	var later logtest.Log
	serve(t, server.Options{Socket: path, Log: later.Logger(), Plugins: []server.Plugin{echo("p", nothing)}})
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(2500 * time.Millisecond) // the path is looked after each second
	after, err := os.Stat(path)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the file was changed: %v", err)
	}
	if n := len(log.Lines("taken again")); n != 0 {
		t.Errorf("the log says %s", &log)
	}
	if n := len(later.Lines("level=WARN")) + len(later.Lines("level=ERROR")); n != 0 {
		t.Errorf("the later one was disturbed: %s", &later)
	}
}
