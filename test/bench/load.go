//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// load is a stream of events to an HTTP source. It is sent by one thread, with
// no more than two system calls an event and without net/http, since it shares
// the processors with what it measures.
type load struct {
	address     string
	connections int // each waits for its answer before it sends again
	events      *events
	first       int // the number of the first event
	length      time.Duration
	count       int // 0: as many as length has room for
	// perTick, where it is set, sends so many events each tick, however long the
	// answers take: what is late is late in the latencies.
	perTick int
}

const tick = time.Millisecond

// sent is what became of a load: every event of it was taken.
type sent struct {
	taken     int
	took      time.Duration
	latencies []time.Duration // of a load by ticks, in no order
	cpuEach   float64         // µs of the node for an event, until all was delivered, where it was looked at
}

func (s sent) rate() float64 { return float64(s.taken) / s.took.Seconds() }

// sending is a load on its way.
type sending struct {
	load
	poll        int
	connections []connection
	idle        []int // indexes
	request     []byte
	idAt        int // in request
	next        int // number
	taken       int
	begin, end  time.Time
	latencies   []time.Duration
}

type connection struct {
	fd  int
	due time.Time // when the event that it waits for was to be sent
	in  []byte
}

// send sends the load. An event that was not taken ends it, as an error.
func (l load) send() (sent, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := &sending{load: l, next: l.first}
	defer s.close()
	if err := s.connect(); err != nil {
		return sent{}, err
	}
	head := fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: keg\r\nContent-Type: application/json\r\nCe-Specversion: 1.0\r\n"+
		"Ce-Type: %s\r\nCe-Source: //bench\r\nContent-Length: %d\r\nCe-Id: %s\r\n\r\n", eventType, eventBytes, l.events.id(0))
	s.request, s.idAt = append(head, l.events.make(0)...), len(head)-len("0000000000\r\n\r\n")
	s.begin = time.Now()
	s.end = s.begin.Add(l.length)
	if err := s.run(); err != nil {
		return sent{}, fmt.Errorf("after %d events: %w", s.taken, err)
	}
	return sent{taken: s.taken, took: time.Since(s.begin), latencies: s.latencies}, nil
}

func (s *sending) connect() (err error) {
	to, err := netip.ParseAddrPort(s.address)
	if err != nil {
		return err
	}
	if s.poll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return err
	}
	for i := range s.load.connections {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		s.connections, s.idle = append(s.connections, connection{fd: fd}), append(s.idle, i)
		if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
			return err
		}
		_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
		_ = syscall.SetNonblock(fd, true)
		if err := syscall.EpollCtl(s.poll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(i)}); err != nil {
			return err
		}
	}
	return nil
}

func (s *sending) close() {
	for _, c := range s.connections {
		_ = syscall.Close(c.fd)
	}
	_ = syscall.Close(s.poll)
}

// run sends until all is sent and answered.
func (s *sending) run() error {
	ready := make([]syscall.EpollEvent, s.load.connections)
	for {
		if err := s.sendDue(); err != nil {
			return err
		}
		if len(s.idle) == len(s.connections) && s.over(time.Now()) {
			return nil
		}
		wait := 10_000
		if s.perTick > 0 {
			wait = 1
		}
		n, err := syscall.EpollWait(s.poll, ready, wait)
		if err != nil && err != syscall.EINTR {
			return err
		}
		if n == 0 && s.perTick == 0 {
			return fmt.Errorf("no answer within %d ms", wait)
		}
		for _, event := range ready[:max(n, 0)] {
			if err := s.receive(int(event.Fd)); err != nil {
				return err
			}
		}
	}
}

// over reports whether no more events are to be sent.
func (s *sending) over(now time.Time) bool {
	return s.count > 0 && s.next-s.first >= s.count || s.count == 0 && !now.Before(s.end)
}

// sendDue sends what is due over the connections that wait for nothing.
func (s *sending) sendDue() error {
	for len(s.idle) > 0 {
		now := time.Now()
		due := now
		if s.perTick > 0 {
			due = s.begin.Add(time.Duration((s.next-s.first)/s.perTick) * tick)
			if due.After(now) {
				return nil
			}
		}
		if s.over(now) {
			return nil
		}
		i := s.idle[len(s.idle)-1]
		s.idle = s.idle[:len(s.idle)-1]
		putDecimal(s.request[s.idAt:s.idAt+10], s.next)
		copy(s.request[s.idAt+10+len("\r\n\r\n"):], s.events.make(s.next))
		s.next++
		c := &s.connections[i]
		c.due = due
		if n, err := syscall.Write(c.fd, s.request); err != nil || n < len(s.request) {
			return fmt.Errorf("%d of %d bytes were written: %w", n, len(s.request), err)
		}
	}
	return nil
}

// receive reads an answer, or a part of it.
func (s *sending) receive(i int) error {
	c := &s.connections[i]
	if c.in == nil {
		c.in = make([]byte, 0, 4096)
	}
	n, err := syscall.Read(c.fd, c.in[len(c.in):cap(c.in)])
	switch {
	case err == syscall.EAGAIN || err == syscall.EINTR:
		return nil
	case err != nil:
		return err
	case n == 0:
		return fmt.Errorf("the connection was closed after %q", c.in)
	}
	c.in = c.in[:len(c.in)+n]
	whole, err := taken(c.in)
	if err != nil || !whole {
		return err
	}
	c.in = c.in[:0]
	s.taken++
	if s.perTick > 0 {
		s.latencies = append(s.latencies, time.Since(c.due))
	}
	s.idle = append(s.idle, i)
	return nil
}

// taken reports whether an answer is whole. Any that is no 202 is an error.
func taken(in []byte) (whole bool, err error) {
	head, body, found := bytes.Cut(in, []byte("\r\n\r\n"))
	if !found {
		return false, nil
	}
	_, rest, found := bytes.Cut(head, []byte("\r\nContent-Length: "))
	if !found {
		return false, fmt.Errorf("an answer without a length: %q", in)
	}
	digits, _, _ := bytes.Cut(rest, []byte("\r\n"))
	length, err := strconv.Atoi(string(digits))
	if err != nil || len(body) < length {
		return false, err
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 202 ")) {
		return false, fmt.Errorf("an event was not taken: %s", in)
	}
	return true, nil
}
