package gateway

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestSlowClientsAreCutOff(t *testing.T) {
	g := start(t, Options{Config: []byte(serviceless2), ClientTimeout: 100 * time.Millisecond})
	conn := raw(t, g.proxy, "GET / HTTP/1.1\r\nHost: h\r\nX-")
	if text, err := io.ReadAll(conn); err != nil || len(text) > 0 && !strings.HasPrefix(string(text), "HTTP/1.1 4") {
		t.Errorf("%q, %v", text, err)
	}
	long := reply(t, g.proxy, "GET / HTTP/1.1\r\nHost: h\r\nX-Long: "+strings.Repeat("x", 3*maxHead)+"\r\n\r\n")
	if long.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a long head: %s", long.Status)
	}
}

const serviceless2 = "_format_version: '3.0'\nplugins: [{name: request-termination}]\nroutes: [{name: r, paths: [/]}]\n"

func TestOldAndOddClients(t *testing.T) {
	url, _ := seen(t, nil)
	g := start(t, Options{Config: upstreamConfig(url)})
	t.Run("HTTP/1.0", func(t *testing.T) {
		response := reply(t, g.proxy, "POST /up HTTP/1.0\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi")
		if body, _ := io.ReadAll(response.Body); response.StatusCode != 200 || string(body) != "hi" || response.Header.Get("Connection") == "keep-alive" {
			t.Errorf("%s %q %v", response.Status, body, response.Header)
		}
	})
	t.Run("HEAD", func(t *testing.T) {
		conn := raw(t, g.proxy, "HEAD /nowhere HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		text, err := io.ReadAll(conn)
		if _, body, _ := strings.Cut(string(text), "\r\n\r\n"); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 404") || body != "" {
			t.Errorf("%q, %v", text, err)
		}
	})
	t.Run("Expect: 100-continue", func(t *testing.T) {
		conn := raw(t, g.proxy, "POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
		reader := bufio.NewReader(conn)
		if line, err := reader.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
			t.Fatalf("%q, %v", line, err)
		}
		_, _ = reader.ReadString('\n')
		_, _ = io.WriteString(conn, "hi")
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if body, _ := io.ReadAll(response.Body); string(body) != "hi" {
			t.Errorf("%s %q", response.Status, body)
		}
	})
	t.Run("two requests in one write", func(t *testing.T) {
		conn := raw(t, g.proxy, strings.Repeat("POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", 2))
		reader := bufio.NewReader(conn)
		for range 2 {
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, _ := io.ReadAll(response.Body); string(body) != "x" {
				t.Errorf("%s %q", response.Status, body)
			}
		}
	})
	t.Run("both lengths", func(t *testing.T) {
		response := reply(t, g.proxy, "POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
		if response.StatusCode >= 500 {
			t.Errorf("%s", response.Status)
		}
	})
}

func BenchmarkPluginThatAnswers(b *testing.B) {
	g, err := New(Options{Proxy: "127.0.0.1:0", Admin: "off", Prefix: b.TempDir(), Config: []byte(serviceless2)})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	<-g.Ready()
	client := &http.Client{Transport: &http.Transport{}}
	b.ReportAllocs()
	for b.Loop() {
		response, err := client.Get("http://" + g.ProxyAddrs()[0].String() + "/")
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	client.CloseIdleConnections()
	stop()
	<-ended
}

// A body that nobody reads must not cost the next request on its connection.
func TestAConnectionOutlivesBodiesThatNobodyReads(t *testing.T) {
	g := start(t, Options{Config: upstreamConfig("http://127.0.0.1:1")})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for i := range 2000 {
		response, err := client.Post("http://"+g.proxy+"/nowhere", "text/plain", strings.NewReader("nobody reads this"))
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if response.StatusCode != http.StatusNotFound {
			t.Fatalf("request %d: %s", i, response.Status)
		}
	}
}
