package server_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	wire "github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"

	"github.com/kong/keg/kong/server"
	"github.com/kong/keg/test/logtest"
)

func nothing(context.Context, *server.Call) error { return nil }

func TestJunkClosesItsOwnConnectionOnly(t *testing.T) {
	socket := serve(t, server.Options{PeerTimeout: time.Second, MaxFrame: 1 << 20, Plugins: []server.Plugin{echo("p", nothing)}})
	good := newKong(t, dial(t, socket))
	id := good.start("p", `{}`)
	for name, bytes := range map[string][]byte{
		"a frame of 4 GiB":       {255, 255, 255, 255, 1, 2, 3},
		"HTTP":                   []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"an empty frame":         {0, 0, 0, 0},
		"a frame of junk":        {4, 0, 0, 0, 255, 255, 255, 255},
		"a part of a frame":      {16, 0, 0, 0, 162},
		"a part of a length":     {16, 0},
		"a frame over the limit": append([]byte{0, 0, 32, 0}, make([]byte, 1<<20)...),
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, socket)
			_, _ = c.Write(bytes) // the server may have closed already
			_ = c.CloseWrite()
			if got, err := io.ReadAll(c); len(got) > 0 {
				t.Errorf("answered %q, %v", got, err)
			}
			good.event(id, "access")
		})
	}
}

func TestNoPeerIsWaitedForEndlessly(t *testing.T) {
	const patience = 200 * time.Millisecond
	socket := serve(t, server.Options{PeerTimeout: patience, Plugins: []server.Plugin{echo("p", func(_ context.Context, c *server.Call) error {
		b := c.Batch()
		b.Method()
		return b.Do()
	}), echo("exit", func(_ context.Context, c *server.Call) error { return c.Exit(200, nil, nil) })}})
	event := func(t *testing.T, plugin string) *net.UnixConn {
		c := dial(t, socket)
		k := newKong(t, c)
		command, err := proto.Marshal(eventCommand(k.start(plugin, `{}`), "access"))
		if err != nil {
			t.Fatal(err)
		}
		if err := k.write(command); err != nil {
			t.Fatal(err)
		}
		return c
	}
	for name, begin := range map[string]func(t *testing.T) *net.UnixConn{
		"silence":                     func(t *testing.T) *net.UnixConn { return dial(t, socket) },
		"a call that is not answered": func(t *testing.T) *net.UnixConn { return event(t, "p") },
		"an exit without a close":     func(t *testing.T) *net.UnixConn { return event(t, "exit") },
		"a byte now and then": func(t *testing.T) *net.UnixConn {
			c := dial(t, socket)
			go func() {
				for _, b := range append([]byte{100, 0, 0, 0}, make([]byte, 100)...) {
					if _, err := c.Write([]byte{b}); err != nil {
						return
					}
					time.Sleep(patience / 4)
				}
			}()
			return c
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := begin(t)
			began := time.Now()
			_, err := io.Copy(io.Discard, c)
			if took := time.Since(began); took > 10*patience {
				t.Errorf("the connection lived for %v (%v)", took, err)
			}
		})
	}
}

// TestThousandsOfConnections: both ends are in this process, so the number is
// half of what it may open.
func TestThousandsOfConnections(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	count := int(min(10_000, (limit.Cur-200)/2))
	socket := serve(t, server.Options{Plugins: []server.Plugin{echo("p", nothing)}})
	k := newKong(t, dial(t, socket))
	id := k.start("p", `{}`)
	conns := make([]net.Conn, 0, count)
	for range count {
		c, err := net.Dial("unix", socket)
		for errors.Is(err, syscall.EAGAIN) { // the kernel's queue is full: the server is behind
			time.Sleep(time.Millisecond)
			c, err = net.Dial("unix", socket)
		}
		if err != nil {
			t.Fatalf("after %d connections: %v", len(conns), err)
		}
		conns = append(conns, c)
	}
	k.event(id, "access")
	newKong(t, conns[count-1]).event(id, "access")
	for _, c := range conns {
		_ = c.Close()
	}
	k.event(id, "access")
}

func TestABatchOfAnySizeDoesNotDeadlock(t *testing.T) {
	// Kong answers each call before it takes the next, so both directions fill.
	const calls = 3000
	name := strings.Repeat("v", 300)
	answer := strings.Repeat("a", 2000)
	socket := serve(t, server.Options{Plugins: []server.Plugin{echo("p", func(_ context.Context, c *server.Call) error {
		b := c.Batch()
		var texts []server.Text
		for range calls {
			texts = append(texts, b.Var(name))
		}
		if err := b.Do(); err != nil {
			return err
		}
		for _, text := range texts {
			if text.Value() != answer {
				return errors.New("an answer is wrong")
			}
		}
		return b.Do()
	})}})
	k := newKong(t, dial(t, socket))
	k.answers = map[string]any{"kong.nginx.get_var": &wire.String{V: answer}}
	id := k.start("p", `{}`)
	// The second Do of one batch is refused, which is answered by a 500.
	if got := k.exit(id, "access"); got.Status != 500 {
		t.Errorf("status %d", got.Status)
	}
	if len(k.asked) != calls+1 {
		t.Errorf("%d calls came, want %d and the exit", len(k.asked), calls)
	}
}

func TestAnAnswerOverTheLimitLeavesTheOthersReadable(t *testing.T) {
	seen := make(chan error, 1)
	socket := serve(t, server.Options{MaxFrame: 1000, Plugins: []server.Plugin{echo("p", func(_ context.Context, c *server.Call) error {
		b := c.Batch()
		before, large, after := b.Method(), b.LogSerialize(), b.Method()
		err := b.Do()
		if before.Value() != "GET" || large.Value() != "" || after.Value() != "GET" {
			t.Errorf("read %q, %d bytes, %q", before.Value(), len(large.Value()), after.Value())
		}
		seen <- err
		return nil
	})}})
	k := newKong(t, dial(t, socket))
	k.answers = map[string]any{
		"kong.request.get_method": &wire.String{V: "GET"},
		"kong.log.serialize":      &wire.String{V: strings.Repeat("x", 100_000)},
	}
	k.event(k.start("p", `{}`), "log")
	var tooLarge *server.FrameTooLargeError
	if err := <-seen; !errors.As(err, &tooLarge) || !strings.Contains(err.Error(), "kong.log.serialize") {
		t.Errorf("Do: %v", err)
	}
}

func TestTheConnectionBreaksInTheMiddleOfAnEvent(t *testing.T) {
	var log logtest.Log
	seen := make(chan error, 1)
	socket := serve(t, server.Options{Log: log.Logger(), Plugins: []server.Plugin{echo("p", func(_ context.Context, c *server.Call) error {
		b := c.Batch()
		b.Method()
		b.Headers(10)
		err := b.Do()
		seen <- err
		return err
	})}})
	c := dial(t, socket)
	k := newKong(t, c)
	command, _ := proto.Marshal(eventCommand(k.start("p", `{}`), "access"))
	if err := k.write(command); err != nil {
		t.Fatal(err)
	}
	if _, err := k.read(); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Write(binary.LittleEndian.AppendUint32(nil, 100)) // a length, and never its bytes
	_ = c.Close()
	if err := <-seen; err == nil {
		t.Error("Do saw nothing of it")
	}
	eventually(t, "the break is logged", func() bool { return len(log.Lines("broke in the middle")) == 1 })
}

func TestBodies(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file("target", []byte("secret")), link); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	const limit = 1000
	inline := func(n int) *wire.RawBodyResult {
		return &wire.RawBodyResult{Kind: &wire.RawBodyResult_Content{Content: bytes.Repeat([]byte("x"), n)}}
	}
	inFile := func(path string) *wire.RawBodyResult {
		return &wire.RawBodyResult{Kind: &wire.RawBodyResult_BodyFilepath{BodyFilepath: path}}
	}
	for _, test := range []struct {
		name   string
		answer any
		want   int // bytes
		err    string
	}{
		{"none", inline(0), 0, ""},
		{"an empty frame", nil, 0, ""},
		{"inline", inline(limit), limit, ""},
		{"inline, too large", inline(limit + 1), 0, "larger than 1000 bytes"},
		{"in a file", inFile(file("fits", make([]byte, limit))), limit, ""},
		{"in an empty file", inFile(file("empty", nil)), 0, ""},
		{"in a file that is too large", inFile(file("large", make([]byte, limit+1))), 0, "larger than 1000 bytes"},
		{"in no file", inFile(filepath.Join(dir, "none")), 0, "no such file"},
		{"in a link", inFile(link), 0, "too many levels"},
		{"in a pipe", inFile(fifo), 0, "no regular file"},
		{"in a directory", inFile(dir), 0, "no regular file"},
		{"an error", &wire.RawBodyResult{Kind: &wire.RawBodyResult_Error{Error: "request body did not fit into client body buffer"}}, 0, "did not fit"},
		{"junk", []byte{255}, 0, "protobuf"},
	} {
		t.Run(test.name, func(t *testing.T) {
			type result struct {
				body []byte
				err  error
			}
			seen := make(chan result, 1)
			socket := serve(t, server.Options{Plugins: []server.Plugin{echo("p", func(_ context.Context, c *server.Call) error {
				b := c.Batch()
				body := b.RawBody(limit)
				err := b.Do()
				seen <- result{body.Value(), err}
				return nil
			})}})
			k := newKong(t, dial(t, socket))
			k.answers = map[string]any{"kong.request.get_raw_body": test.answer}
			k.event(k.start("p", `{}`), "access")
			got := <-seen
			if len(got.body) != test.want {
				t.Errorf("%d bytes, want %d", len(got.body), test.want)
			}
			if (got.err != nil) != (test.err != "") || got.err != nil && !strings.Contains(got.err.Error(), test.err) {
				t.Errorf("error %v, want %q", got.err, test.err)
			}
			var tooLarge *server.BodyTooLargeError
			if errors.As(got.err, &tooLarge) != strings.Contains(test.err, "larger") {
				t.Errorf("%T", got.err)
			}
		})
	}
}
