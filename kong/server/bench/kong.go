//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	wire "github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"
)

// worker plays one Kong worker: one thread that waits for all connections at
// once, as nginx does. It is there to measure others, and costs as little as it
// can: what it says is encoded beforehand, and how it is written is -writes.
type worker struct {
	poll  int
	conns map[int32]*conn
	until time.Time
	ended int // events
	open  int // connections with an event
}

// conn is one connection with one event at a time.
type conn struct {
	fd       int
	instance int32
	sequence int64
	in       []byte // what came and was not taken
	out      []byte
	buf      [8 << 10]byte
	next     int // which call is due
}

func newWorker() (*worker, error) {
	poll, err := syscall.EpollCreate1(0)
	return &worker{poll: poll, conns: make(map[int32]*conn)}, err
}

// connect opens a connection and starts an instance.
func (w *worker) connect(socket string) error {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	c := &conn{fd: fd}
	w.conns[int32(fd)] = c
	if err := syscall.Connect(fd, &syscall.SockaddrUnix{Name: socket}); err != nil {
		return os.NewSyscallError("connect", err)
	}
	if err := c.start(); err != nil {
		return err
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(w.poll, syscall.EPOLL_CTL_ADD, fd, &event))
}

func (w *worker) close() {
	for _, c := range w.conns {
		_ = syscall.Close(c.fd)
	}
	_ = syscall.Close(w.poll)
}

// run does events on every connection for a while and returns how many.
func (w *worker) run(length time.Duration) (int, error) {
	w.until, w.ended = time.Now().Add(length), 0
	for _, c := range w.conns {
		if err := errors.Join(c.event(), c.flush()); err != nil {
			return 0, err
		}
		w.open++
	}
	ready := make([]syscall.EpollEvent, len(w.conns))
	for w.open > 0 {
		n, err := syscall.EpollWait(w.poll, ready, 10_000)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return w.ended, os.NewSyscallError("epoll_wait", err)
		case n == 0:
			return w.ended, errors.New("no plugin has answered for ten seconds")
		}
		for _, r := range ready[:n] {
			if err := w.serve(w.conns[r.Fd]); err != nil {
				return w.ended, err
			}
		}
	}
	return w.ended, nil
}

// serve takes what has come on a connection, and goes on as far as it leads.
func (w *worker) serve(c *conn) error {
	if err := c.read(); err != nil {
		return err
	}
	for {
		ended, err := c.step()
		if err == errMore {
			return c.flush()
		}
		if err != nil {
			return err
		}
		if !ended {
			continue
		}
		if w.ended++; w.ended%256 == 0 && time.Now().After(w.until) {
			w.until = time.Time{}
		}
		if w.until.IsZero() {
			w.open--
			return nil
		}
		if err := c.event(); err != nil {
			return err
		}
	}
}

var errMore = errors.New("more bytes must come")

// step takes a call and answers it, or takes the end of the event and reports
// that. It takes nothing before all of it is there.
func (c *conn) step() (ended bool, err error) {
	first, rest, ok := cutFrame(c.in)
	if !ok {
		return false, errMore
	}
	second, rest, ok := cutFrame(rest)
	if !ok {
		return false, errMore
	}
	c.in = rest
	if len(first) == 0 {
		if c.next != len(calls) {
			return false, fmt.Errorf("an event ended after %d calls", c.next)
		}
		return true, c.checkReturn(second)
	}
	if c.next == len(calls) || !bytes.Equal(first, calls[c.next].method) {
		return false, fmt.Errorf("call %d is to %q", c.next, first)
	}
	c.next++
	return false, c.queue(calls[c.next-1].answer)
}

func cutFrame(b []byte) (frame, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, b, false
	}
	n := int(binary.LittleEndian.Uint32(b))
	if len(b)-4 < n {
		return nil, b, false
	}
	return b[4 : 4+n], b[4+n:], true
}

func (c *conn) read() error {
	kept := copy(c.buf[:], c.in)
	n, err := syscall.Read(c.fd, c.buf[kept:])
	if err != nil {
		return os.NewSyscallError("read", err)
	}
	if n == 0 {
		return net.ErrClosed
	}
	c.in = c.buf[:kept+n]
	return nil
}

// queue adds a frame to what is to be written, and writes it unless -writes is
// together.
func (c *conn) queue(payload []byte) (err error) {
	c.out = binary.LittleEndian.AppendUint32(c.out, uint32(len(payload)))
	if *writes == halves {
		err = c.flush()
	}
	c.out = append(c.out, payload...)
	if *writes != together {
		err = errors.Join(err, c.flush())
	}
	return err
}

func (c *conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	_, err := syscall.Write(c.fd, c.out)
	c.out = c.out[:0]
	return os.NewSyscallError("write", err)
}

// start starts an instance, the one command that is waited for.
func (c *conn) start() error {
	start, err := proto.Marshal(&wire.RpcCall{Sequence: 1, Call: &wire.RpcCall_CmdStartInstance{
		CmdStartInstance: &wire.CmdStartInstance{Name: "bench", Config: []byte(`{"__seq__":1}`)},
	}})
	if err != nil {
		return err
	}
	if err := errors.Join(c.queue(start), c.flush()); err != nil {
		return err
	}
	for {
		if err := c.read(); err != nil {
			return err
		}
		if answer, rest, ok := cutFrame(c.in); ok {
			c.in = rest
			var started wire.RpcReturn
			err := proto.Unmarshal(answer, &started)
			c.instance = started.GetInstanceStatus().GetInstanceId()
			return err
		}
	}
}
