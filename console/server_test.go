package console

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/kong/keg/outbox"
	"github.com/kong/keg/test/logtest"
)

// start runs s until the test ends, and returns where it listens.
func start(t *testing.T, s *Server) (address string, stop func() error) {
	t.Helper()
	if s.Listen == "" {
		s.Listen = "127.0.0.1:0"
	}
	ready := make(chan net.Addr, 1)
	s.Ready = func(a net.Addr) { ready <- a }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	var once atomic.Bool
	stop = func() error {
		if once.Swap(true) {
			return nil
		}
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	select {
	case a := <-ready:
		return a.String(), stop
	case err := <-ended:
		t.Fatal(err)
		return "", nil
	}
}

type reply struct {
	status int
	kind   string
	header http.Header
	body   string
}

// ask sends a request of its own connection, with headers as name and value.
func ask(t *testing.T, method, url, body string, headers ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header.Get("Content-Type"), response.Header, string(text)}
}

func TestANodeLivesUntilItsListenerEndsAndIsReadyWhileItServes(t *testing.T) {
	var phase atomic.Value
	phase.Store(Starting)
	address, _ := start(t, &Server{Node: &Node{Phase: func() Phase { return phase.Load().(Phase) }}})
	for _, step := range []struct {
		phase  Phase
		status int
	}{{Starting, 503}, {Serving, 200}, {Stopping, 503}} {
		phase.Store(step.phase)
		if got := ask(t, "GET", "http://"+address+"/livez", ""); got.status != 200 || got.body != `{"status":"ok"}`+"\n" {
			t.Errorf("%s: it lives: %+v", step.phase, got)
		}
		got := ask(t, "GET", "http://"+address+"/readyz", "")
		var said Readiness
		if err := json.Unmarshal([]byte(got.body), &said); err != nil || got.kind != "application/json" {
			t.Fatal(err, got)
		}
		if got.status != step.status || said.Ready != (step.status == 200) || said.Phase != step.phase || said.Store.Status != "none" {
			t.Errorf("%s: %+v", step.phase, got)
		}
	}
}

func TestOnlyAStoreThatTakesNothingMakesAServingNodeUnready(t *testing.T) {
	store := filled(t, 4)
	node := &Node{
		Store: store,
		Destinations: func() []Destination {
			return []Destination{{Label: orders.Destination, Breaker: Open, Since: time.Now(), Error: "connection refused", Queues: []outbox.Queue{orders}}}
		},
		Sources: func() []Source { return []Source{{Name: "kafka://kafka:9092?topics=a&group=b", Error: "no broker"}} },
		Routes:  func() Routes { return Routes{File: "routes.yaml", Routes: 2, Error: "line 3: unknown key"} },
	}
	address, _ := start(t, &Server{Node: node})
	var said Readiness
	got := ask(t, "GET", "http://"+address+"/readyz", "")
	if err := json.Unmarshal([]byte(got.body), &said); err != nil || got.status != 200 || !said.Ready {
		t.Fatal(err, got)
	}
	if d := said.Destinations[0]; d.Destination != orders.Destination || d.Breaker != Open || d.Error != "connection refused" || d.Waiting != 3 || d.OldestAge < 59 || d.OldestAge > 120 {
		t.Errorf("%+v", d)
	}
	if !strings.Contains(got.body, "topics=a&group=b") {
		t.Error("an address is not spelled as people read it:", got.body)
	}
	if s := said.Store; s.Status != "ok" || s.Waiting != 5 || s.DeadLetters != 4 || s.Bytes != 4096 || s.CutTails != 1 {
		t.Errorf("%+v", s)
	}
	if said.Sources[0].Status != "down" || said.Sources[0].Error != "no broker" || said.Routes.Error != "line 3: unknown key" {
		t.Errorf("%+v", said)
	}
	store.fail(&outbox.UnavailableError{Problem: "the disk is full"})
	got = ask(t, "GET", "http://"+address+"/readyz", "")
	said = Readiness{}
	if err := json.Unmarshal([]byte(got.body), &said); err != nil || got.status != 503 || said.Ready ||
		said.Store.Status != "unavailable" || len(said.Why) != 1 || !strings.Contains(said.Why[0], "the disk is full") {
		t.Error(err, got)
	}
}

func TestAStrangersPageReachesNothing(t *testing.T) {
	store := filled(t, 2)
	address, _ := start(t, &Server{Node: &Node{Store: store}})
	base := "http://" + address
	for name, test := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
	}{
		"a name that resolves to this machine":      {"GET", "/readyz", "", []string{"Host", "rebound.example:8090"}, 403},
		"the same, of the letters":                  {"GET", "/deadletters", "", []string{"Host", "rebound.example"}, 403},
		"another loopback address":                  {"GET", "/deadletters", "", []string{"Host", "[::1]:8090"}, 200},
		"localhost":                                 {"GET", "/deadletters", "", []string{"Host", "localhost:8090"}, 200},
		"a form of another site":                    {"POST", "/deadletters/drop", `{"all":true}`, []string{"Origin", "https://evil.example", "Content-Type", "application/json"}, 403},
		"a script of another site":                  {"POST", "/deadletters/drop", `{"all":true}`, []string{"Sec-Fetch-Site", "cross-site", "Content-Type", "application/json"}, 403},
		"what a form can send without asking first": {"POST", "/deadletters/drop", `{"all":true}`, []string{"Content-Type", "text/plain"}, 415},
		"no content type":                           {"POST", "/deadletters/drop", `{"all":true}`, nil, 415},
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, test.method, base+test.path, test.body, test.headers...)
			if got.status != test.status || got.status >= 400 && got.kind != "application/problem+json" {
				t.Errorf("%+v", got)
			}
		})
	}
	if n := store.count(); n != 2 {
		t.Errorf("%d dead letters are left", n)
	}
}

// A peer of another machine is acted by a request that says so: one machine has
// no other to come from.
func TestDeadLettersAreForThisMachineAlone(t *testing.T) {
	s := &Server{Node: &Node{Store: filled(t, 1)}}
	g := newGuard(s.handler(t.Context()), false)
	for _, test := range []struct {
		peer, path, host string
		status           int
	}{
		{"192.0.2.7:4000", "/readyz", "node.example", 200},
		{"192.0.2.7:4000", "/deadletters", "node.example", 403},
		{"192.0.2.7:4000", "/deadletters/000001", "127.0.0.1", 403},
		{"127.0.0.1:4000", "/deadletters", "node.example", 403},
		{"127.0.0.1:4000", "/deadletters", "127.0.0.1:8090", 200},
		{"[::1]:4000", "/deadletters/000001", "localhost", 200},
		{"", "/deadletters", "localhost", 403},
	} {
		r, _ := http.NewRequest("GET", "http://"+test.host+test.path, nil)
		r.RemoteAddr = test.peer
		w := &recorder{header: http.Header{}}
		g.ServeHTTP(w, r)
		if w.status != test.status {
			t.Errorf("%+v: %d", test, w.status)
		}
	}
}

type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(b []byte) (int, error) { return len(b), nil }
func (r *recorder) WriteHeader(status int)      { r.status = status }

func TestWrongCallsHearWhatIsRight(t *testing.T) {
	address, _ := start(t, &Server{Node: &Node{Store: filled(t, 1)}})
	for name, test := range map[string]struct {
		method, path, body string
		status             int
		says               string
	}{
		"no such path":         {"GET", "/", "", 404, "/readyz"},
		"another method":       {"POST", "/livez", "", 405, "use GET"},
		"a list that is sent":  {"PUT", "/deadletters", "", 405, "use GET"},
		"no such letter":       {"GET", "/deadletters/nosuch", "", 404, "no dead letter of that id"},
		"a parameter mistyped": {"GET", "/deadletters?rote=orders", "", 400, "rote"},
		"too long a page":      {"GET", "/deadletters?limit=1001", "", 400, "1000"},
		"no moment":            {"GET", "/deadletters?since=yesterday", "", 400, "since must be a time"},
		"no reason":            {"GET", "/deadletters?reason=bored", "", 400, "exhausted"},
		"nothing selected":     {"POST", "/deadletters/drop", `{}`, 400, "nothing is selected"},
		"a key mistyped":       {"POST", "/deadletters/drop", `{"rote":"orders","all":true}`, 400, "rote"},
		"all, and a filter":    {"POST", "/deadletters/drop", `{"route":"orders","all":true}`, 400, "all stands alone"},
		"ids, and a filter":    {"POST", "/deadletters/replay", `{"route":"orders","ids":["1"]}`, 400, "ids stand alone"},
		"two bodies":           {"POST", "/deadletters/replay", `{"all":true}{}`, 400, "more than one"},
		"no JSON":              {"POST", "/deadletters/replay", `all`, 400, "JSON"},
		"too large a body":     {"POST", "/deadletters/replay", `{"ids":["` + strings.Repeat("x", maxBody) + `"]}`, 413, "1048576 bytes"},
		"a drop by routes":     {"POST", "/deadletters/drop", `{"all":true,"through_routes":true}`, 400, "through_routes"},
		"no routes to go by":   {"POST", "/deadletters/replay", `{"all":true,"through_routes":true}`, 409, "running node"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, test.method, "http://"+address+test.path, test.body, "Content-Type", "application/json")
			var problem struct {
				Status int
				Detail string
			}
			if err := json.Unmarshal([]byte(got.body), &problem); err != nil || got.kind != "application/problem+json" {
				t.Fatalf("%v: %+v", err, got)
			}
			if got.status != test.status || problem.Status != test.status || !strings.Contains(problem.Detail, test.says) {
				t.Errorf("%+v", got)
			}
		})
	}
	address, _ = start(t, &Server{Node: &Node{}})
	if got := ask(t, "GET", "http://"+address+"/deadletters", ""); got.status != 404 || !strings.Contains(got.body, "KEG_PERSISTENCE_ENABLE") {
		t.Errorf("without a store: %+v", got)
	}
}

func TestAFailingStoreIsNotAnEmptyOne(t *testing.T) {
	store := filled(t, 1)
	var log logtest.Log
	address, _ := start(t, &Server{Node: &Node{Store: store}, Log: log.Logger()})
	store.fail(&outbox.UnavailableError{Problem: "the database is away"})
	got := ask(t, "GET", "http://"+address+"/deadletters", "")
	if got.status != 503 || got.header.Get("Retry-After") != "1" || !strings.Contains(got.body, "the database is away") {
		t.Errorf("%+v", got)
	}
	store.fail(errors.New("pq: password=hunter2"))
	got = ask(t, "GET", "http://"+address+"/deadletters", "")
	if got.status != 500 || strings.Contains(got.body, "hunter2") || !strings.Contains(log.String(), "a dead-letter call failed") {
		t.Errorf("%+v", got)
	}
}

func TestASlowClientIsCut(t *testing.T) {
	address, _ := start(t, &Server{Node: &Node{}, readTimeout: 100 * time.Millisecond})
	for name, half := range map[string]string{
		"a head that does not end": "GET /livez HTTP/1.1\r\nHost: local",
		"a body that does not end": "POST /deadletters/drop HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
		"headers without end":      "GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 64<<10),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, _ = c.Write([]byte(half))
			_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
			if _, err := io.Copy(io.Discard, bufio.NewReader(c)); errors.Is(err, syscall.ETIMEDOUT) || isTimeout(err) {
				t.Error("the connection is still open")
			}
		})
	}
}

func TestAClientThatDoesNotReadIsCutAndHoldsUpNobody(t *testing.T) {
	store := filled(t, 0)
	for i := range 16 {
		if err := store.Put(t.Context(), died(i, orders, "exhausted", time.Now(), `"`+strings.Repeat("x", 1<<20)+`"`)); err != nil {
			t.Fatal(err)
		}
	}
	address, _ := start(t, &Server{Node: &Node{Store: store}, writeTimeout: time.Second})
	for range 2 * maxReading {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.(*net.TCPConn).SetReadBuffer(4096)
		_, _ = c.Write([]byte("GET /deadletters?data=true HTTP/1.1\r\nHost: localhost\r\n\r\n"))
	}
	if got := ask(t, "GET", "http://"+address+"/livez", ""); got.status != 200 {
		t.Errorf("%+v", got)
	}
	for { // those before have had their time
		if got := ask(t, "GET", "http://"+address+"/deadletters?limit=1", ""); got.status == 200 {
			break
		}
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestAnIdleConnectionDoesNotHoldUpTheEnd(t *testing.T) {
	address, stop := start(t, &Server{Node: &Node{}})
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = c.Write([]byte("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"))
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Fatal(line, err)
	}
	began := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestAnAddressInUseIsToldAsThat(t *testing.T) {
	address, _ := start(t, &Server{Node: &Node{}})
	if err := (&Server{Listen: address, Node: &Node{}}).Run(t.Context()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Error(err)
	}
}

func TestListenSettings(t *testing.T) {
	for text, want := range map[string]string{
		"127.0.0.1:8090": "127.0.0.1:8090", ":8090": "127.0.0.1:8090", "0.0.0.0:1": "0.0.0.0:1", "[::]:0": "[::]:0", "off": "", "node:80": "node:80",
	} {
		if got, err := ParseListen(text); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "8090", "OFF", ":http", ":65536", ":-1", ":+1", ":01", "::1:8090", "h:"} {
		if got, err := ParseListen(text); err == nil {
			t.Errorf("%q is taken as %q", text, got)
		}
	}
	for address, want := range map[string]string{"0.0.0.0:1": "127.0.0.1:1", "[::]:1": "127.0.0.1:1", "10.0.0.1:1": "10.0.0.1:1"} {
		if got := dialAddress(address); got != want {
			t.Errorf("%s is dialled at %s", address, got)
		}
	}
}
