package server

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// socket is a listener whose file may be taken over by a later process.
type socket struct {
	*net.UnixListener
	path string
	file fs.FileInfo // as it was when it was ours
	// took: another process listened on the path before.
	took bool
	log  *slog.Logger
}

// longestPath is what the kernel has room for, less the NUL that ends it.
var longestPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// listen makes a socket at path. While Kong reloads, an old and a new plugin
// server run side by side on one path for some ten seconds: the new one puts
// its socket in the old one's place in one step, so that there is no moment
// without one. A socket that nobody listens on is replaced the same way; what
// is no socket is left alone.
func listen(path string, mode fs.FileMode, log *slog.Logger) (*socket, error) {
	if path == "" {
		return nil, errors.New("the plugin socket needs a path")
	}
	if len(path) > longestPath {
		return nil, fmt.Errorf("the plugin socket's path is %d bytes long and a socket's can be no longer than %d: %s", len(path), longestPath, path)
	}
	took := false
	before, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("the plugin socket: %w", err)
	case before.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("the plugin socket: %s is there and is no socket; move it away or choose another path", path)
	default:
		if took = answers(path); took {
			log.Info("taking the plugin socket over from the process that listens on it", "socket", path)
		}
	}
	listener, err := bind(path, mode)
	if err != nil {
		return nil, fmt.Errorf("the plugin socket: %w", err)
	}
	file, err := os.Lstat(path)
	if err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("the plugin socket: %w", err)
	}
	log.Info("listening for Kong", "socket", path)
	return &socket{listener, path, file, took, log}, nil
}

// bind listens beside the path, where nobody connects yet, and renames the
// socket when its mode is right.
func bind(path string, mode fs.FileMode) (*net.UnixListener, error) {
	beside := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%08x", rand.Uint32()))
	if len(beside) > longestPath {
		// A name shorter than ours: there is no room for another, and so for a
		// moment there is no socket.
		beside = path
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: beside, Net: "unix"})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false)
	err = os.Chmod(beside, mode)
	if err == nil && beside != path {
		err = os.Rename(beside, path)
	}
	if err != nil {
		_ = listener.Close()
		_ = os.Remove(beside)
		return nil, err
	}
	return listener, nil
}

// answers reports whether a process listens on the socket.
func answers(path string) bool {
	peer, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return false
	}
	_ = peer.Close()
	return true
}

// isOurs reports whether the path still leads to this socket.
func (s *socket) isOurs() bool {
	file, err := os.Lstat(s.path)
	return err == nil && os.SameFile(file, s.file)
}

// retire removes the socket's file, unless a later process has put its own
// there, and lets the listener go on for the moment that those who have
// connected already need to be accepted.
func (s *socket) retire() {
	if s.isOurs() {
		if err := os.Remove(s.path); err != nil {
			s.log.Warn("the plugin socket could not be removed", "error", err)
		}
	}
	_ = s.SetDeadline(time.Now().Add(20 * time.Millisecond))
}
