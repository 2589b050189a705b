package sources

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kong/keg"
	"github.com/kong/keg/test/logtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// took is a handler that says yes, and remembers what it was given.
type took struct {
	sync.Mutex
	events []*keg.Event
}

func (k *took) handle(_ context.Context, events ...*keg.Event) keg.Receipts {
	k.Lock()
	defer k.Unlock()
	k.events = append(k.events, events...)
	var receipts keg.Receipts
	for _, e := range events {
		receipts = append(receipts, keg.Receipt{ID: e.ID, Routes: []string{"all"}, Ack: keg.AckDelivered})
	}
	return receipts
}

func (k *took) last(t *testing.T) *keg.Event {
	t.Helper()
	k.Lock()
	defer k.Unlock()
	if len(k.events) == 0 {
		t.Fatal("no event arrived")
	}
	return k.events[len(k.events)-1]
}

// run starts s on a free port until the test ends, and returns its address.
func run(t *testing.T, s *HTTP, handle keg.Handler) string {
	t.Helper()
	address, stop := start(t, s, handle)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return address
}

// start is run for tests that stop it themselves.
func start(t *testing.T, s *HTTP, handle keg.Handler) (address string, stop func() error) {
	t.Helper()
	s.Listen = "127.0.0.1:0"
	ready := make(chan net.Addr, 1)
	s.Ready = func(a net.Addr) { ready <- a }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, intake(handle)) }()
	select {
	case a := <-ready:
		return a.String(), func() error { cancel(); return <-ended }
	case err := <-ended:
		cancel()
		t.Fatalf("Run: %v", err)
		return "", nil
	}
}

// client is one that leaves no connection behind.
func client(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// http2Client speaks HTTP/2 and nothing else, without TLS.
func http2Client(t *testing.T) *http.Client {
	c := client(t)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	c.Transport.(*http.Transport).Protocols = protocols
	return c
}

type reply struct {
	status  int
	headers http.Header
	body    string
}

func send1(t *testing.T, c *http.Client, method, url, body string, headers ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(b)}
}

// refusedWith fails the test unless r is a problem of that status.
func refusedWith(t *testing.T, r reply, status int) {
	t.Helper()
	var problem struct {
		Status        int
		Title, Detail string
	}
	if err := json.Unmarshal([]byte(r.body), &problem); err != nil {
		t.Fatalf("status %d, body %q: %v", r.status, r.body, err)
	}
	if r.status != status || problem.Status != status || problem.Detail == "" || r.headers.Get("Content-Type") != "application/problem+json" {
		t.Errorf("want %d, got %d: %v %s", status, r.status, r.headers, r.body)
	}
}

func TestAnEventIsTakenOnAnyPath(t *testing.T) {
	var k took
	url := "http://" + run(t, &HTTP{}, k.handle)
	got := send1(t, client(t), "POST", url+"/orders/a%20b?x=1", `{"event_type":"order.created","event_source":"shop","event_id":"o-1"}`, "Content-Type", "application/json")
	if got.status != 200 || got.body != `{"id":"o-1","routes":["all"]}`+"\n" || got.headers.Get("Content-Type") != "application/json" {
		t.Errorf("%+v", got)
	}
	if e := k.last(t); e.Type != "order.created" || e.Source != "shop" || e.Headers.Get("host") != url[len("http://"):] {
		t.Errorf("%+v", e)
	}
	send1(t, client(t), "POST", url+"/a%20b?x=1", "x")
	if e := k.last(t); e.Source != url[len("http:"):]+"/a%20b" {
		t.Errorf("the source of a plain request: %s", e.Source)
	}
}

func TestHTTP2WithoutTLS(t *testing.T) {
	var k took
	url := "http://" + run(t, &HTTP{}, k.handle)
	c := http2Client(t)
	r, _ := http.NewRequestWithContext(t.Context(), "POST", url, strings.NewReader("x"))
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != 200 || response.ProtoMajor != 2 {
		t.Errorf("%s %s", response.Proto, response.Status)
	}
	refusedWith(t, send1(t, c, "POST", url, strings.Repeat("x", 2<<20)), 413)
}

func TestTheIDOfARequestIsItsEventsWhereItHasNone(t *testing.T) {
	var k took
	url := "http://" + run(t, &HTTP{}, k.handle)
	tests := map[string]struct {
		headers []string
		want    string
	}{
		"the event's own":                 {[]string{"X-Event-Id", "mine", "X-Kong-Request-Id", "k"}, "mine"},
		"Kong's":                          {[]string{"X-Request-Id", "r", "X-Kong-Request-Id", "k"}, "k"},
		"a proxy's":                       {[]string{"X-Request-Id", "r"}, "r"},
		"not one that no id should be":    {[]string{"X-Kong-Request-Id", "a b", "X-Request-Id", "r"}, "r"},
		"nor one that is not to be spelt": {[]string{"X-Kong-Request-Id", "caf\xe9", "X-Request-Id", "r"}, "r"},
	}
	c := client(t)
	for name, test := range tests {
		if got := send1(t, c, "POST", url, "x", test.headers...); got.status != 200 || k.last(t).ID != test.want {
			t.Errorf("%s: %+v, id %q", name, got, k.last(t).ID)
		}
	}
	if send1(t, c, "POST", url, "x"); len(k.last(t).ID) != 36 {
		t.Errorf("no id at all: %q", k.last(t).ID)
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	url := "http://" + run(t, &HTTP{}, func(context.Context, ...*keg.Event) keg.Receipts { panic("it has been called") })
	for _, method := range []string{"GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
		got := send1(t, client(t), method, url, "")
		refusedWith(t, got, 405)
		if got.headers.Get("Allow") != "POST" {
			t.Errorf("%s: Allow %q", method, got.headers.Get("Allow"))
		}
	}
}

func TestBatchesAreAnsweredByEntry(t *testing.T) {
	var k took
	url := "http://" + run(t, &HTTP{}, k.handle)
	got := send1(t, client(t), "POST", url, `[{"specversion":"1.0","id":"a","type":"t","source":"/s"},{"id":"b"}]`,
		"Content-Type", "application/cloudevents-batch+json")
	want := `[{"status":200,"id":"a","routes":["all"]},{"status":400,"id":"b","error":"\"specversion\" is required and is missing"}]` + "\n"
	if got.status != 207 || got.body != want {
		t.Errorf("%+v", got)
	}
	if len(k.events) != 1 {
		t.Errorf("%d events were handed on", len(k.events))
	}
}

func TestBadRequestsAreToldAndLoggedOnce(t *testing.T) {
	var log logtest.Log
	url := "http://" + run(t, &HTTP{Log: log.Logger()}, func(context.Context, ...*keg.Event) keg.Receipts { panic("it has been called") })
	tests := map[string]struct {
		status  int
		body    string
		headers []string
	}{
		"broken JSON":            {400, `{"a":`, []string{"Content-Type", "application/json"}},
		"no legal event":         {400, `{}`, []string{"Content-Type", "application/cloudevents+json"}},
		"a bad attribute":        {400, ``, []string{"Ce-Specversion", "1.0", "Ce-Id", "%FF", "Ce-Type", "t", "Ce-Source", "/s"}},
		"a smuggling Connection": {400, ``, []string{"Connection", "close, Content-Length"}},
		"an unknown format":      {415, ``, []string{"Content-Type", "application/cloudevents+avro"}},
		"an unknown encoding":    {415, `x`, []string{"Content-Encoding", "zstd"}},
		"too many bytes":         {413, strings.Repeat("x", 1<<20+1), nil},
		"too deep":               {400, strings.Repeat("[", 99) + strings.Repeat("]", 99), []string{"Content-Type", "application/json"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			log.Reset()
			refusedWith(t, send1(t, client(t), "POST", url, test.body, test.headers...), test.status)
			if lines := len(log.Lines("")); lines != 1 {
				t.Errorf("%d log lines", lines)
			}
		})
	}
}

func TestAPanicIsAnsweredAndTheSourceLivesOn(t *testing.T) {
	var log logtest.Log
	var k took
	first := true
	url := "http://" + run(t, &HTTP{Log: log.Logger()}, func(ctx context.Context, events ...*keg.Event) keg.Receipts {
		if first {
			first = false
			panic("secret cause")
		}
		return k.handle(ctx, events...)
	})
	got := send1(t, client(t), "POST", url, "x")
	refusedWith(t, got, 500)
	if strings.Contains(got.body, "secret cause") || len(log.Lines("")) != 1 {
		t.Errorf("%s; %d log lines", got.body, len(log.Lines("")))
	}
	if got := send1(t, client(t), "POST", url, "x"); got.status != 200 {
		t.Errorf("%+v", got)
	}
}
