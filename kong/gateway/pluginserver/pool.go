package pluginserver

import (
	"context"
	"net"
	"sync"
	"syscall"
	"time"
)

// nginx's limits on a worker's pool of connections, as Kong sets them.
const (
	poolSize = 256
	poolIdle = 60 * time.Second
)

// pool holds one worker's idle connections to one socket; the one that was put
// back last is taken first.
type pool struct {
	path string
	idle time.Duration

	mu     sync.Mutex
	conns  []*pooled
	closed bool
}

type pooled struct {
	net.Conn
	expire *time.Timer
}

// take returns an idle connection that is still good, or a new one.
func (p *pool) take(ctx context.Context, timeout time.Duration) (net.Conn, error) {
	for {
		conn := p.pop()
		if conn == nil {
			break
		}
		if quiet(conn) {
			return conn, nil
		}
		conn.Close()
	}
	dialer := net.Dialer{Timeout: timeout}
	conn, err := dialer.DialContext(ctx, "unix", p.path)
	if err != nil {
		return nil, socketError(err)
	}
	return conn, nil
}

func (p *pool) pop() net.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.conns) > 0 {
		last := p.conns[len(p.conns)-1]
		p.conns = p.conns[:len(p.conns)-1]
		if last.expire.Stop() {
			return last.Conn
		}
	}
	return nil
}

// put keeps a connection for the next call.
func (p *pool) put(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.conns) >= poolSize {
		conn.Close()
		return
	}
	entry := &pooled{Conn: conn}
	entry.expire = time.AfterFunc(p.idle, func() { p.drop(entry) })
	p.conns = append(p.conns, entry)
}

func (p *pool) drop(entry *pooled) {
	p.mu.Lock()
	for i, c := range p.conns {
		if c == entry {
			p.conns = append(p.conns[:i], p.conns[i+1:]...)
			break
		}
	}
	p.mu.Unlock()
	entry.Close()
}

// close closes what is idle, now and later.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.conns {
		if c.expire.Stop() {
			c.Close()
		}
	}
	p.conns = nil
}

// quiet reports whether an idle connection is open and has nothing to read:
// nginx drops from its pool what the other side closed, or what it wrote to
// unasked.
func quiet(conn net.Conn) bool {
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return true
	}
	raw, err := unix.SyscallConn()
	if err != nil {
		return false
	}
	good := false
	err = raw.Control(func(fd uintptr) {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		good = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
	})
	return err == nil && good
}
