package server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// streamTo returns a stream and its peer.
func streamTo(t *testing.T) (*stream, *net.UnixConn) {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	peer, err := net.DialUnix("unix", nil, listener.Addr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	s, err := newStream(accepted)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = s.Close(), peer.Close() })
	return s, peer
}

func TestAStreamCarriesMoreThanTheKernelKeeps(t *testing.T) {
	s, peer := streamTo(t)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<17)
	go func() { _, _ = io.Copy(peer, peer) }() // both ways at once
	written := make(chan error, 1)
	go func() {
		n, err := s.Write(sent)
		if err == nil && n != len(sent) {
			err = io.ErrShortWrite
		}
		written <- err
	}()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(s, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, sent) {
		t.Error("what came back is not what was sent")
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

func TestAStreamEndsWhereThePeerCloses(t *testing.T) {
	s, peer := streamTo(t)
	_, _ = peer.Write([]byte("last"))
	_ = peer.Close()
	if got, err := io.ReadAll(s); err != nil || string(got) != "last" {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := s.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("writing: %v", err)
	}
}

func TestAStreamOfNothingIsNotItsEnd(t *testing.T) {
	s, peer := streamTo(t)
	_, _ = peer.Write([]byte("x"))
	if n, err := s.Read(nil); n != 0 || err != nil {
		t.Errorf("reading into nothing: %d, %v", n, err)
	}
	if n, err := s.Write(nil); n != 0 || err != nil {
		t.Errorf("writing nothing: %d, %v", n, err)
	}
}

func TestAStreamKeepsItsDeadlines(t *testing.T) {
	const soon = 300 * time.Millisecond // and long enough that a busy machine begins before
	much := make([]byte, 16<<20)
	s, _ := streamTo(t)
	_ = s.SetDeadline(time.Now().Add(soon))
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("reading: %v", err)
	}
	_ = s.SetDeadline(time.Now().Add(soon))
	if n, err := s.Write(much); !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 {
		t.Errorf("writing to one who does not read: %d, %v", n, err)
	}
}

func TestAStreamThatIsClosedIsNotWaitedFor(t *testing.T) {
	s, _ := streamTo(t)
	ended := make(chan error, 2)
	go func() { _, err := s.Read(make([]byte, 1)); ended <- err }()
	go func() { _, err := s.Write(make([]byte, 16<<20)); ended <- err }()
	time.Sleep(10 * time.Millisecond) // both wait, as a rule; the result is the same if they do not
	_ = s.Close()
	for range 2 {
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("it ended with %v", err)
		}
	}
}
