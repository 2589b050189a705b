package server_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/kong/keg/kong/server"
	"github.com/kong/keg/test/logtest"
)

// Linux alone tells a full queue (EAGAIN) from one that is gone (ECONNREFUSED).
func TestASocketOfOneThatIsBusyIsLeftToIt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	var log logtest.Log
	serve(t, server.Options{Socket: path, Log: log.Logger(), Plugins: []server.Plugin{echo("p", nothing)}})
	busy := listenWithoutRoom(t, path+"2")
	if err := os.Rename(path+"2", path); err != nil {
		t.Fatal(err)
	}
	for { // until its queue is full
		c, err := net.Dial("unix", path)
		if err != nil {
			if !errors.Is(err, syscall.EAGAIN) {
				t.Fatal(err)
			}
			break
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	time.Sleep(2500 * time.Millisecond)
	if n := len(log.Lines("taken again")); n != 0 {
		t.Errorf("the log says %s", &log)
	}
	_ = syscall.Close(busy)
	log.Await(t, "taken again", 1)
}

// listenWithoutRoom is a socket in whose queue there is room for one.
func listenWithoutRoom(t *testing.T, path string) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	return fd
}
