//go:build real

package postgres

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// proxy stands between a store and the database, and can cut a connection when
// the server's answer comes by: what was asked is done, and nobody is told.
type proxy struct {
	listener net.Listener
	server   string

	mutex  sync.Mutex
	open   map[net.Conn]bool
	marker []byte // of the answer that is not passed on; nil: none
	cuts   int
	closed bool // lets nobody in
	after  bool // becomes closed with the next cut
	work   sync.WaitGroup
}

// newProxy returns a proxy and the URL through it.
func newProxy(t testing.TB, raw string) (*proxy, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, open: make(map[net.Conn]bool)}
	through := with(t, raw, func(u *url.URL, _ url.Values) { p.server, u.Host = u.Host, listener.Addr().String() })
	p.work.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.cutAll()
		p.work.Wait()
	})
	return p, through
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mutex.Lock()
		closed := p.closed
		p.mutex.Unlock()
		server, err := net.Dial("tcp", p.server)
		if err != nil || closed {
			_ = client.Close()
			if server != nil {
				_ = server.Close()
			}
			continue
		}
		p.mutex.Lock()
		p.open[client], p.open[server] = true, true
		p.mutex.Unlock()
		p.work.Go(func() { _, _ = io.Copy(server, client); p.cut(client, server) })
		p.work.Go(func() { p.answers(client, server) })
	}
}

func (p *proxy) answers(client, server net.Conn) {
	defer p.cut(client, server)
	chunk := make([]byte, 64<<10)
	for {
		n, err := server.Read(chunk)
		if err != nil {
			return
		}
		p.mutex.Lock()
		hit := p.marker != nil && bytes.Contains(chunk[:n], p.marker)
		if hit {
			p.marker = nil
			p.cuts++
			p.closed = p.after
		}
		p.mutex.Unlock()
		if hit {
			return
		}
		if _, err := client.Write(chunk[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) cut(conns ...net.Conn) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(p.open, c)
	}
}

func (p *proxy) cutAll() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for c := range p.open {
		_ = c.Close()
	}
}

// arm makes the next answer that ends a command of this tag the last one of its
// connection; then, if away, nobody is let in until admit.
func (p *proxy) arm(tag string, away bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.marker, p.after = []byte(tag+"\x00"), away
}

func (p *proxy) admit() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.closed, p.after, p.marker = false, false, nil
}

func (p *proxy) count() int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.cuts
}
