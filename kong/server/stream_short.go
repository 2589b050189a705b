//go:build linux && (amd64 || arm64) && !race

package server

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// stream is a connection that reads and writes by the shortest way, for most of
// what an event costs is its two reads and two writes. Package net tells the
// scheduler of each as of one that may block, and these never do: where nothing
// can be moved the kernel says so at once, and the goroutine waits in the poller,
// under the same deadlines and closes as with package net.
//
// One goroutine may read while another writes. The race detector does not see
// these calls and takes what tests learn through a socket for a race, so it gets
// package net's.
type stream struct {
	*net.UnixConn
	raw     syscall.RawConn
	in, out transfer
}

// transfer is one system call, and how it ended.
type transfer struct {
	call  uintptr
	bytes []byte
	moved int
	errno syscall.Errno
	try   func(fd uintptr) (done bool) // made once, for it would be allocated each time
}

func newStream(peer *net.UnixConn) (*stream, error) {
	raw, err := peer.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &stream{UnixConn: peer, raw: raw}
	s.in.call, s.in.try = syscall.SYS_RECVFROM, s.in.once
	s.out.call, s.out.try = syscall.SYS_SENDTO, s.out.once
	return s, nil
}

// once moves what it can, and reports false where the poller must be asked.
func (t *transfer) once(fd uintptr) bool {
	for {
		n, _, errno := syscall.RawSyscall6(t.call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(t.bytes))), uintptr(len(t.bytes)),
			syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
		switch t.moved, t.errno = int(n), errno; errno {
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			return true
		}
	}
}

// end returns what came of the call that poll has waited for.
func (t *transfer) end(name string, poll error) (int, error) {
	t.bytes = nil
	switch {
	case poll != nil:
		return 0, poll
	case t.errno != 0:
		return 0, os.NewSyscallError(name, t.errno)
	}
	return t.moved, nil
}

func (s *stream) Read(p []byte) (int, error) {
	s.in.bytes = p
	n, err := s.in.end("recv", s.raw.Read(s.in.try))
	if n == 0 && err == nil && len(p) > 0 {
		err = io.EOF
	}
	return n, err
}

func (s *stream) Write(p []byte) (int, error) {
	for written := 0; ; {
		s.out.bytes = p[written:]
		n, err := s.out.end("send", s.raw.Write(s.out.try))
		if written += n; err != nil || written == len(p) {
			return written, err
		}
	}
}
