package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// receiver counts what it gets by path, and its connections.
type receiver struct {
	*httptest.Server
	got         sync.Map // path to *atomic.Int64
	connections atomic.Int64
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		count, _ := r.got.LoadOrStore(request.URL.Path, new(atomic.Int64))
		count.(*atomic.Int64).Add(1)
	}))
	r.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			r.connections.Add(1)
		case http.StateClosed:
			r.connections.Add(-1)
		}
	}
	r.Start()
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) count(path string) int64 {
	if count, ok := r.got.Load(path); ok {
		return count.(*atomic.Int64).Load()
	}
	return 0
}

// load sends events to a source until it is stopped, and counts what is not
// answered 200.
type load struct {
	sent, failed atomic.Int64
	firstFailure atomic.Value
	stop         func()
}

func startLoad(t *testing.T, senders int, url string) *load {
	l := &load{}
	transport := &http.Transport{MaxIdleConnsPerHost: senders}
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	ended := make(chan struct{})
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				if err := sendOne(client, url); err != nil {
					l.failed.Add(1)
					l.firstFailure.CompareAndSwap(nil, err.Error())
				}
				l.sent.Add(1)
			}
		})
	}
	l.stop = sync.OnceFunc(func() { close(ended); all.Wait(); transport.CloseIdleConnections() })
	t.Cleanup(l.stop)
	return l
}

func sendOne(client *http.Client, url string) error {
	response, err := client.Post(url, "text/plain", strings.NewReader("hello"))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, answer)
	}
	return err
}

// more waits until so many more events were sent.
func (l *load) more(t *testing.T, events int64) {
	t.Helper()
	until := l.sent.Load() + events
	eventually(t, "events are sent", func() bool { return l.sent.Load() >= until })
}

func (l *load) check(t *testing.T) {
	t.Helper()
	l.stop()
	if n := l.failed.Load(); n > 0 {
		t.Errorf("%d of %d events failed, the first with %v", n, l.sent.Load(), l.firstFailure.Load())
	}
}

// startServe runs keg serve on a routes file with an HTTP source, and returns its
// URL.
func startServe(t *testing.T, routes string) (p *process, source string) {
	t.Helper()
	p = start(t, []string{"KEG_LOG_FORMAT=text"}, "serve", "--routes", routes, "--socket", filepath.Join(filepath.Dir(routes), "s"),
		"--event-sources", "http:127.0.0.1:0")
	_, address, _ := strings.Cut(p.until("source listens"), " address=")
	return p, "http://" + address
}

func oneRoute(address string) string {
	return fmt.Sprintf("routes: [{name: all, match: {}, destinations: [{type: http, address: %q}]}]\n", address)
}

func TestDestinationsAreSwappedUnderLoadAndNoEventFails(t *testing.T) {
	dir, err := os.MkdirTemp("", "keg")
	do(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	one, two := newReceiver(t), newReceiver(t)
	file := filepath.Join(dir, "routes.yaml")
	replace := func(text string) {
		write(t, file+".new", text)
		do(t, os.Rename(file+".new", file))
	}
	replace(oneRoute(one.URL))
	p, source := startServe(t, file)
	l := startLoad(t, 8, source)
	l.more(t, 200)
	for range 5 {
		for _, turn := range []struct{ to, from *receiver }{{two, one}, {one, two}} {
			replace(oneRoute(turn.to.URL))
			p.until("routes reloaded")
			eventually(t, "the connections of what is no longer named are closed", func() bool { return turn.from.connections.Load() == 0 })
			before, there := turn.from.count("/"), turn.to.count("/")
			l.more(t, 200)
			if n := turn.from.count("/") - before; n > 0 {
				t.Errorf("%d events went to the old destination after the swap", n)
			}
			if turn.to.count("/") == there {
				t.Error("no event went to the new destination")
			}
		}
	}
	replace("routes: [{name: half")
	p.until("is not taken")
	before := one.count("/")
	l.more(t, 200)
	if one.count("/") == before {
		t.Error("a bad file took the routes away")
	}
	do(t, p.cmd.Process.Signal(syscall.SIGHUP))
	p.until("is not taken") // told again, for somebody asked
	l.more(t, 200)
	l.check(t)
	if got, sent := one.count("/")+two.count("/"), l.sent.Load(); got != sent {
		t.Errorf("%d events were sent and %d arrived", sent, got)
	}
	if status := p.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

func TestReloadsInQuickSuccessionOfManyRoutesUnderLoad(t *testing.T) {
	dir, err := os.MkdirTemp("", "keg")
	do(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	to := newReceiver(t)
	file := filepath.Join(dir, "routes.yaml")
	version := func(n int) {
		var b strings.Builder
		b.WriteString("routes:\n")
		for i := range 1999 {
			fmt.Fprintf(&b, "  - {name: other-%d, match: {event_type: other.%d}, destinations: [{type: http, address: %q}]}\n", i, i, fmt.Sprintf("%s/%d/%d", to.URL, n, i))
		}
		fmt.Fprintf(&b, "  - {name: all, match: {}, destinations: [{type: http, address: %q}]}\n", fmt.Sprintf("%s/%d", to.URL, n))
		write(t, file+".new", b.String())
		do(t, os.Rename(file+".new", file))
	}
	version(0)
	p, source := startServe(t, file)
	l := startLoad(t, 4, source)
	l.more(t, 100)
	most, last := 0, 0
	reloads := func() int { return strings.Count(p.said(), "routes reloaded") }
	for tick := time.Tick(100 * time.Millisecond); last < 50 || reloads() < 10 && last < 600; {
		<-tick
		last++
		version(last)
		if last%2 == 0 {
			do(t, p.cmd.Process.Signal(syscall.SIGHUP)) // else it is found in its own time
		}
		most = max(most, resident(t, p))
	}
	eventually(t, "the last version is in force", func() bool { return to.count(fmt.Sprintf("/%d", last)) > 0 })
	l.more(t, 100)
	l.check(t)
	t.Logf("%d reloads, %d events, at most %d MB resident", reloads(), l.sent.Load(), most>>20)
	if reloads() < 10 {
		t.Errorf("only %d reloads", reloads())
	}
	if most > 300<<20 {
		t.Errorf("%d MB resident", most>>20)
	}
	if status := p.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

var residentLine = regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB`)

// resident is how much memory a process holds, in bytes; 0 where the system does
// not tell.
func resident(t *testing.T, p *process) (bytes int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	if found := residentLine.FindSubmatch(status); found != nil {
		_, _ = fmt.Sscan(string(found[1]), &bytes)
	}
	return bytes << 10
}

func TestASignalToReloadEndsNobodyWhoHasNoRoutesFile(t *testing.T) {
	p := start(t, []string{"KEG_LOG_FORMAT=text"}, "serve", "--socket", filepath.Join(t.TempDir(), "s"))
	p.until("keg serves")
	do(t, p.cmd.Process.Signal(syscall.SIGHUP))
	p.until("routes") // not taken, or reloaded where the default file exists
	if status := p.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

func TestKegDevFollowsTheRoutesThatItIsGiven(t *testing.T) {
	to := newReceiver(t)
	file := filepath.Join(t.TempDir(), "routes.yaml")
	write(t, file, oneRoute(to.URL+"/one"))
	p := startDev(t, []string{"KEG_LOG_FORMAT=text"}, "--routes", file)
	write(t, file, oneRoute(to.URL+"/two"))
	p.until("routes reloaded")
	if status, answer, _ := post(t, "http://"+p.proxy+"/events", "text/plain", "x"); status != http.StatusOK || to.count("/two") != 1 || to.count("/one") != 0 {
		t.Errorf("%d %s; %d and %d events", status, answer, to.count("/one"), to.count("/two"))
	}
}
