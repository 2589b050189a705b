package gateway

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestReloadUnderLoadLosesNothing(t *testing.T) {
	url, _ := seen(t, nil)
	config := []byte(strings.ReplaceAll(string(upstreamConfig(url)), "timeout: 500", "timeout: 30000")) // a busy machine is no loss
	g := start(t, Options{Config: config})
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var sent atomic.Int64
	for range 4 {
		clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for {
				select {
				case <-stop:
					return
				default:
				}
				response, err := client.Post("http://"+g.proxy+"/up", "text/plain", strings.NewReader("x"))
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(response.Body)
				response.Body.Close()
				if response.StatusCode != http.StatusOK || string(body) != "x" {
					t.Errorf("%s %s", response.Status, body)
				}
				sent.Add(1)
			}
		})
	}
	for range 30 {
		if status, body := g.ask(t, "POST", "/config", "text/yaml", string(config)); status != http.StatusCreated {
			t.Fatalf("%d %s", status, body)
		}
	}
	close(stop)
	clients.Wait()
	if sent.Load() == 0 {
		t.Error("nothing was sent")
	}
}

func TestStopLetsRequestsEnd(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, "done")
	}))
	defer slow.Close()
	g, ctx, stop, ended := runnable(t, Options{Config: []byte("_format_version: '3.0'\nservices: [{name: s, url: '" + slow.URL + "', routes: [{paths: [/]}]}]")})
	defer stop()
	answer := make(chan string, 1)
	go func() {
		response, err := http.Get("http://" + g.ProxyAddrs()[0].String() + "/")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		answer <- string(body)
	}()
	<-arrived
	stop()
	<-ctx.Done()
	close(release)
	if got := <-answer; got != "done" {
		t.Errorf("the request under way got %q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", g.ProxyAddrs()[0].String()); err == nil {
		t.Error("it still listens")
	}
}

func TestStopDoesNotWaitForEver(t *testing.T) {
	arrived := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	}))
	defer slow.Close()
	g, _, stop, ended := runnable(t, Options{Drain: 50 * time.Millisecond,
		Config: []byte("_format_version: '3.0'\nservices: [{name: s, url: '" + slow.URL + "', routes: [{paths: [/]}]}]")})
	conn := raw(t, g.ProxyAddrs()[0].String(), "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-arrived
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Run waits for an upstream")
	}
	_, _ = io.Copy(io.Discard, conn)
}
