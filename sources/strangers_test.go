package sources

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/test/logtest"
)

// These tests are of senders who mean no good, or do as if.

// dial opens a bare connection.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

func TestA200MBBodyIsRefusedUnread(t *testing.T) {
	var k took
	url := "http://" + run(t, &HTTP{}, k.handle)
	c := client(t)
	for name, length := range map[string]int64{"of known length": 200 << 20, "of unknown length": -1} {
		var sent counter
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, _ := http.NewRequestWithContext(t.Context(), "POST", url, io.TeeReader(io.LimitReader(zeros{}, 200<<20), &sent))
		r.ContentLength = length
		response, err := c.Do(r)
		if err != nil {
			t.Fatalf("%s: no answer: %v", name, err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		runtime.ReadMemStats(&after)
		if response.StatusCode != 413 {
			t.Errorf("%s: %s", name, response.Status)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
			t.Errorf("%s: %d bytes were allocated", name, used)
		}
		if n := sent.n.Load(); n > 20<<20 {
			t.Errorf("%s: %d bytes were read before the refusal", name, n)
		}
	}
	if got := send1(t, c, "POST", url, "x"); got.status != 200 {
		t.Errorf("afterwards: %+v", got)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

type counter struct{ n atomic.Int64 }

func (c *counter) Write(b []byte) (int, error) { c.n.Add(int64(len(b))); return len(b), nil }

func TestAGzipBombIsRefused(t *testing.T) {
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	_, _ = io.CopyN(w, zeros{}, 20<<20)
	_ = w.Close()
	url := "http://" + run(t, &HTTP{}, (&took{}).handle)
	refusedWith(t, send1(t, client(t), "POST", url, bomb.String(), "Content-Encoding", "gzip"), 413)
}

func TestAThousandHeaders(t *testing.T) {
	var k took
	url := "http://" + run(t, &HTTP{}, k.handle)
	many := func(n int) []string {
		var headers []string
		for i := range n {
			headers = append(headers, fmt.Sprintf("X-H-%d", i), "v")
		}
		return headers
	}
	if got := send1(t, client(t), "POST", url, "x", many(900)...); got.status != 200 {
		t.Errorf("900 headers: %+v", got)
	}
	if len(k.last(t).Headers) < 900 {
		t.Errorf("%d headers arrived of 900", len(k.last(t).Headers))
	}
	refusedWith(t, send1(t, client(t), "POST", url, "x", many(1000)...), 413)
	refusedWith(t, send1(t, client(t), "POST", url, "x", "X-Long", strings.Repeat("v", 100<<10)), 413)
	r, _ := http.NewRequestWithContext(t.Context(), "POST", url, nil)
	r.Header.Set("X-Longer", strings.Repeat("v", 300<<10))
	response, err := client(t).Do(r) // net/http's own answer, which it may break off
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != 431 {
		t.Errorf("a header section without end: %s", response.Status)
	}
}

func TestBytesThatAreNotUTF8(t *testing.T) {
	var k took
	address := run(t, &HTTP{}, k.handle)
	c := dial(t, address)
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: h\r\nX-Name: caf\xe9\r\nX-Good: caf\u00e9\r\nContent-Length: 2\r\n\r\n\xff\xfe")
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	e := k.last(t)
	if response.StatusCode != 200 || e.Headers.Get("x-name") != "" || e.Headers.Get("x-good") != "café" || string(e.Data) != "\xff\xfe" {
		t.Errorf("%s, %v, %q", response.Status, e.Headers, e.Data)
	}
	refusedWith(t, send1(t, client(t), "POST", "http://"+address, `"`+"\xff"+`"`, "Content-Type", "application/json"), 400)
}

func TestSlowHeadersAreCut(t *testing.T) {
	address := run(t, &HTTP{HeaderTimeout: 150 * time.Millisecond}, (&took{}).handle)
	c := dial(t, address)
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: h\r\n")
	stopped := make(chan struct{})
	go func() { // one header each 20 ms, for ever: slowloris
		defer close(stopped)
		for i := 0; ; i++ {
			if _, err := fmt.Fprintf(c, "X-%d: x\r\n", i); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	start := time.Now()
	_, _ = io.Copy(io.Discard, c)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the connection was held for %v", took)
	}
	<-stopped
}

func TestASlowBodyIsToldSo(t *testing.T) {
	address := run(t, &HTTP{ReadTimeout: 150 * time.Millisecond}, (&took{}).handle)
	c := dial(t, address)
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nx")
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != 408 || response.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %v", response.Status, response.Header)
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	address := run(t, &HTTP{IdleTimeout: 100 * time.Millisecond}, (&took{}).handle)
	c := dial(t, address)
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx")
	if text, err := io.ReadAll(c); err != nil || !bytes.HasPrefix(text, []byte("HTTP/1.1 200")) {
		t.Errorf("%q, %v", text, err)
	}
}

func TestManySlowSendersDoNotKeepAGoodOneOut(t *testing.T) {
	var k took
	address := run(t, &HTTP{MaxConnections: 20, HeaderTimeout: 200 * time.Millisecond}, k.handle)
	for range 60 {
		fmt.Fprint(dial(t, address), "POST / HT")
	}
	if got := send1(t, client(t), "POST", "http://"+address, "x"); got.status != 200 {
		t.Errorf("%+v", got)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	hold := make(chan struct{})
	var handled sync.WaitGroup
	handled.Add(2)
	address := run(t, &HTTP{MaxConnections: 2}, func(context.Context, ...*keg.Event) keg.Receipts {
		handled.Done()
		<-hold
		return keg.Receipts{{}}
	})
	post := "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"
	first, second, third := dial(t, address), dial(t, address), dial(t, address)
	fmt.Fprint(first, post)
	fmt.Fprint(second, post)
	handled.Wait()
	handled.Add(1)
	fmt.Fprint(third, post)
	_ = third.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := third.Read(make([]byte, 1)); n != 0 || !isTimeout(err) {
		t.Errorf("the third of two connections was served: %v", err)
	}
	close(hold)
	_ = third.SetReadDeadline(time.Now().Add(10 * time.Second))
	if text, err := io.ReadAll(third); err != nil || !bytes.HasPrefix(text, []byte("HTTP/1.1 202")) {
		t.Errorf("it was not served afterwards either: %q, %v", text, err)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestBytesInFlightAreBounded(t *testing.T) {
	hold, held := make(chan struct{}), make(chan struct{}, 1)
	s := &HTTP{MaxBuffered: 1000}
	url := "http://" + run(t, s, func(_ context.Context, events ...*keg.Event) keg.Receipts {
		held <- struct{}{}
		<-hold
		return keg.Receipts{{ID: events[0].ID}}
	})
	done := make(chan int)
	go func() { done <- send1(t, client(t), "POST", url, strings.Repeat("x", 900)).status }()
	<-held
	got := send1(t, client(t), "POST", url, strings.Repeat("x", 200))
	refusedWith(t, got, 503)
	if got.headers.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	close(hold)
	if status := <-done; status != 202 {
		t.Errorf("status %d", status)
	}
	if got := send1(t, client(t), "POST", url, strings.Repeat("x", 200)); got.status != 202 {
		t.Errorf("what was held has not been given back: %+v", got)
	}
}

func TestSendersHoldOnlyWhatTheyHaveSent(t *testing.T) {
	address := run(t, &HTTP{MaxBuffered: 1000}, (&took{}).handle)
	for range 10 { // each of unknown length, and slow
		fmt.Fprint(dial(t, address), "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
	}
	if got := send1(t, client(t), "POST", "http://"+address, strings.Repeat("x", 900)); got.status != 200 {
		t.Errorf("%+v", got)
	}
}

func TestJunkIsNoRequest(t *testing.T) {
	address := run(t, &HTTP{}, (&took{}).handle)
	for _, junk := range []string{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\x00\x00\x00\x00\r\n\r\n", "POST / HTTP/9.9\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\njunk-junk-junk-junk",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"} {
		c := dial(t, address)
		fmt.Fprint(c, junk)
		_ = c.(*net.TCPConn).CloseWrite()
		text, _ := io.ReadAll(c)
		if bytes.Contains(text, []byte(" 200 ")) || bytes.Contains(text, []byte(" 202 ")) {
			t.Errorf("%q was taken: %q", junk, text)
		}
	}
}

func TestASenderThatLeavesIsNoEvent(t *testing.T) {
	var log logtest.Log
	called := make(chan struct{}, 1)
	address, stop := start(t, &HTTP{Log: log.Logger()}, func(context.Context, ...*keg.Event) keg.Receipts {
		called <- struct{}{}
		return keg.Receipts{{}}
	})
	c := dial(t, address)
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf of it")
	_ = c.Close()
	if err := stop(); err != nil {
		t.Error(err)
	}
	select {
	case <-called:
		t.Error("half an event was handed on")
	default:
	}
}
