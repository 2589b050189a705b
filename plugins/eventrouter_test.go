package plugins_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
	"github.com/kong/keg/cloudevents"
	"github.com/kong/keg/plugins"
	"github.com/kong/keg/router"
)

// routes is a table of one route for each of the events that tests send.
const routes = `"routes":[
	{"name":"orders","match":{"type":"order.created"},"destinations":[{"type":"memory","address":"a"},{"type":"memory","address":"b"}]},
	{"name":"buried","match":{"type":"order.buried"},"destinations":[{"type":"memory","address":"b"}],"dead_letter":{"type":"memory","address":"grave"}}
]`

func order(id string) request {
	return request{id: "kong-1", body: `{"n":1}`, headers: map[string][]string{
		"host": {"shop.example"}, "content-type": {"application/json"},
		"ce-specversion": {"1.0"}, "ce-id": {id}, "ce-source": {"shop"}, "ce-type": {"order.created"},
	}}
}

// with returns r with one header set, or taken away.
func (r request) with(name string, values ...string) request {
	headers := map[string][]string{}
	for name, values := range r.headers {
		headers[name] = values
	}
	headers[name] = values
	if values == nil {
		delete(headers, name)
	}
	r.headers = headers
	return r
}

func structured(mediaType, body string) request {
	return request{id: "kong-1", body: body, headers: map[string][]string{"host": {"shop.example"}, "content-type": {mediaType}}}
}

const batch = "application/cloudevents-batch+json"

func inBatch(types ...string) string {
	var events []string
	for i, t := range types {
		events = append(events, fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"shop","type":%q}`, i+1, t))
	}
	return "[" + strings.Join(events, ",") + "]"
}

func refuses(context.Context, *keg.Event) error { return keg.Permanent(errors.New("403 Forbidden")) }
func breaks(context.Context, *keg.Event) error  { panic("a bug") }
func down(context.Context, *keg.Event) error    { return errors.New("connection refused") }
func hangs(ctx context.Context, _ *keg.Event) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestAnswers is the table of the delivery contract, as a client behind Kong
// sees it.
func TestAnswers(t *testing.T) {
	tests := []struct {
		name    string
		config  string // beside the routes
		request request
		b       sendFunc // what destination b does
		status  int
		body    string // part of it
		silent  bool   // whether nothing is logged of it
	}{
		{name: "every owed destination has it", request: order("1"), status: 200, body: `{"id":"1","routes":["orders"]}`, silent: true},
		{name: "on its way without a promise", config: `"ack":"none"`, request: order("1"), status: 202, body: `{"id":"1","routes":["orders"]}`, silent: true},
		{name: "no route takes it", request: order("1").with("ce-type", "other"), status: 202, body: `"routes":[]`, silent: true},
		{name: "a batch that agrees", request: structured(batch, inBatch("order.created", "order.created")), status: 200, body: `"id":"2"`, silent: true},
		{name: "a batch that does not", request: structured(batch, inBatch("order.created", "")), status: 207, body: `"status":400`},
		{name: "a batch of which none is safe", request: structured(batch, inBatch("", "")), status: 400, body: `"status":400`},
		{name: "an empty batch", request: structured(batch, "[]"), status: 202, silent: true},
		{name: "not a legal event", request: order("1").with("ce-source"), status: 400, body: "ce-source"},
		{name: "broken JSON", request: structured("application/cloudevents+json", `{"id":`), status: 400},
		{name: "larger than the limit", config: `"max_event_bytes":1024`, request: structured("text/plain", strings.Repeat("x", 1025)), status: 413, body: "1024"},
		{name: "an encoding that cannot be read", request: order("1").with("content-encoding", "br"), status: 415},
		{name: "a media type that cannot be read", request: structured("application/cloudevents+avro", "x"), status: 415},
		{name: "refused for good", request: order("1"), b: refuses, status: 502, body: "memory://b"},
		{name: "refused for good, and in a dead letter", request: order("1").with("ce-type", "order.buried"), b: refuses, status: 502, body: "403 Forbidden"},
		{name: "attempts spent", request: order("1"), b: down, status: 502, body: "connection refused"},
		{name: "no answer in time", config: `"timeout":50`, request: order("1"), b: hangs, status: 504, body: "memory://b"},
		{name: "a bug in KEG", request: order("1"), b: breaks, status: 502, body: "internal error"},
		{name: "a body that Kong could not read", request: request{noBody: "no body for you"}, status: 500},
		{name: "more headers than Kong shows", request: order("1").with("x-many", strings.Split(strings.Repeat("x", 1000), "")...), status: 413, body: "header"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := newKong(t, plugins.Options{})
			k.sinks.on("b", test.b)
			config := "{" + routes
			if test.config != "" {
				config += "," + test.config
			}
			id, ok := k.start(t, config+"}")
			if !ok {
				t.Fatalf("not started: %s", k.log)
			}
			got := k.event(t, id, test.request)
			if got.status != test.status || !strings.Contains(got.body, test.body) {
				t.Errorf("answered %d %s, want %d with %s", got.status, got.body, test.status, test.body)
			}
			mediaType := "application/json"
			if test.status >= 400 {
				mediaType = "application/problem+json"
			}
			if got.headers.Get("Content-Type") != mediaType {
				t.Errorf("the answer is %q", got.headers.Get("Content-Type"))
			}
			if strings.ContainsAny(got.body, "\r\x00") || strings.Contains(got.body, "a bug") {
				t.Errorf("the answer tells too much: %q", got.body)
			}
			refused := k.log.lines("an event was refused")
			if test.silent && len(refused) != 0 || !test.silent && len(refused) != 1 {
				t.Errorf("logged %q", refused)
			}
			if strings.Contains(k.log.String(), `{"n":1}`) {
				t.Errorf("the log has a body: %s", k.log)
			}
		})
	}
}

func TestRejectedAndBusy(t *testing.T) {
	k := newKong(t, plugins.Options{})
	table, err := router.Parse("routes.yaml", []byte("routes: []\nunmatched: reject"), router.Options{Types: memoryTypes})
	if err != nil {
		t.Fatal(err)
	}
	id, _ := k.start(t, `{"routes":null}`)
	if err := k.hub.SetTable(table); err != nil { // the plugin follows the node's table
		t.Fatal(err)
	}
	if got := k.event(t, id, order("1")); got.status != 422 {
		t.Errorf("unmatched, and the table rejects: %d %s", got.status, got.body)
	}
	_ = k.hub.Close(t.Context())
	if got := k.event(t, id, order("1")); got.status != 503 || got.headers.Get("Retry-After") == "" {
		t.Errorf("a node that is closing: %d %v", got.status, got.headers)
	}
}

func TestWhatIsAskedOfKong(t *testing.T) {
	k := newKong(t, plugins.Options{})
	asks := func(config string, want ...string) {
		t.Helper()
		id, _ := k.start(t, config)
		if diff := cmp.Diff(want, k.event(t, id, order("1")).asked); diff != "" {
			t.Errorf("%s: %s", config, diff)
		}
	}
	asks(`{}`, "kong.request.get_headers", "kong.request.get_raw_body", "kong.nginx.get_var kong_request_id", "kong.nginx.get_var request")
	asks(`{"event_source":"//shop"}`, "kong.request.get_headers", "kong.request.get_raw_body", "kong.nginx.get_var kong_request_id")
}

func TestPlainRequests(t *testing.T) {
	plain := structured("application/json", `{"n":1}`)
	plain.line = "POST /a%20b/c?secret=1 HTTP/1.1"
	absolute := plain
	absolute.line = "POST http://elsewhere/x?y HTTP/1.1"
	tests := []struct {
		name             string
		config           string
		request          request
		id, source, kind string
	}{
		{"the request's address, and Kong's id", "", plain, "kong-1", "//shop.example/a%20b/c", "http.request"},
		{"an absolute request target", "", absolute, "kong-1", "//shop.example/x", "http.request"},
		{"what the instance sets", `,"event_type":"t","event_source":"s"`, plain, "kong-1", "s", "t"},
		{"what the request says", `,"event_type":"t","event_source":"s"`, plain.with("x-event-type", "T").with("x-event-source", "S").with("x-event-id", "I"), "I", "S", "T"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := newKong(t, plugins.Options{})
			id, _ := k.start(t, `{"routes":[{"name":"all","match":{},"destinations":[{"type":"memory","address":"a"}]}]`+test.config+`}`)
			if got := k.event(t, id, test.request); got.status != 200 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			e := k.sinks.got("a")[0]
			if e.ID != test.id || e.Source != test.source || e.Type != test.kind || e.Time.IsZero() {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	k := newKong(t, plugins.Options{})
	id, _ := k.start(t, `{`+routes+`,"forward_headers":["X-Tenant","X-Bad"]}`)
	got := k.event(t, id, order("1").with("x-tenant", "7").with("authorization", "Bearer s3cret").
		with("x-bad", "\xff\xfe").with("keg-dlq-reason", "forged").with("cookie", "a=b"))
	if got.status != 200 {
		t.Fatalf("a header that is not UTF-8 cost the event: %d %s", got.status, got.body)
	}
	if diff := cmp.Diff(keg.Headers{"x-tenant": {"7"}}, k.sinks.got("a")[0].Headers); diff != "" {
		t.Error(diff)
	}
}

func TestBodyFile(t *testing.T) {
	k := newKong(t, plugins.Options{Events: cloudevents.Options{MaxBytes: 100_000}})
	id, _ := k.start(t, `{`+routes+`}`)
	path := filepath.Join(t.TempDir(), "0000000001")
	body := bytes.Repeat([]byte("x"), 100_001)
	send := func(body []byte) reply {
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
		r := order("1").with("content-type", "text/plain")
		r.bodyFile = path
		return k.event(t, id, r)
	}
	if got := send(body[:90_000]); got.status != 200 || !bytes.Equal(k.sinks.got("a")[0].Data, body[:90_000]) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := send(body); got.status != 413 {
		t.Errorf("one byte too many: %d %s", got.status, got.body)
	}
	_ = os.Remove(path)
	r := order("1")
	r.bodyFile = path
	if got := k.event(t, id, r); got.status != 500 || strings.Contains(got.body, path) {
		t.Errorf("a file that is gone: %d %s", got.status, got.body)
	}
}

func TestContinue(t *testing.T) {
	k := newKong(t, plugins.Options{})
	id, _ := k.start(t, `{`+routes+`,"on_success":"continue"}`)
	for _, good := range []request{order("1"), order("2").with("ce-type", "other"), structured(batch, inBatch("order.created"))} {
		if got := k.event(t, id, good); got.status != 0 {
			t.Errorf("a safe event was answered: %d %s", got.status, got.body)
		}
	}
	k.sinks.on("b", refuses)
	for status, bad := range map[int]request{
		502: order("3"), 400: order("4").with("ce-id", ""), 207: structured(batch, inBatch("order.created", "other")),
	} {
		if got := k.event(t, id, bad); got.status != status {
			t.Errorf("a failure was not answered with %d: %d %s", status, got.status, got.body)
		}
	}
}

func TestDeadLetterTellsItsStory(t *testing.T) {
	k := newKong(t, plugins.Options{})
	k.sinks.on("b", refuses)
	id, _ := k.start(t, `{`+routes+`}`)
	k.event(t, id, order("1").with("ce-type", "order.buried"))
	dead := k.sinks.got("grave")
	if len(dead) != 1 || dead[0].Headers.Get("keg-dlq-reason") != "refused" || dead[0].Headers.Get("keg-dlq-route") != "buried" {
		t.Errorf("%+v", dead)
	}
}

func TestRefusalIsOneLineOfTheLog(t *testing.T) {
	k := newKong(t, plugins.Options{})
	k.sinks.on("b", func(context.Context, *keg.Event) error {
		return keg.Permanent(errors.New("no\r\ntime=forged level=INFO"))
	})
	id, _ := k.start(t, `{`+routes+`}`)
	k.event(t, id, order("1"))
	lines := k.log.lines("forged")
	if len(lines) != 1 || !strings.Contains(lines[0], "level=ERROR") || !strings.Contains(lines[0], "request=kong-1") ||
		!strings.Contains(lines[0], "id=1") || !strings.Contains(lines[0], "status=502") || !strings.Contains(lines[0], "memory://b") {
		t.Errorf("%q", lines)
	}
	k.event(t, id, structured(batch, inBatch("", "order.created", "")))
	if lines := k.log.lines("refused=3"); len(lines) != 1 || !strings.Contains(lines[0], "events=3") {
		t.Errorf("a batch: %s", k.log)
	}
	k.event(t, id, order("").with("ce-id", ""))
	if lines := k.log.lines("status=400"); len(lines) != 1 || !strings.Contains(lines[0], "level=WARN") {
		t.Errorf("a sender's own mistake: %q", lines)
	}
}

func TestConfigsThatCannotBe(t *testing.T) {
	tests := []struct {
		name, config string
		want         []string // in the log
	}{
		{"ack stored without persistence", `{"ack":"stored"}`, []string{"ack: stored needs persistence"}},
		{"a wrong key of a destination", `{"routes":[{"name":"r","match":{},"destinations":[{"type":"memory","address":"a","topic":"nope"}]}]}`,
			[]string{"config.routes[0].destinations[0].topic: "}},
		{"all of it at once", `{"routes":[{"match":{},"destinations":[{"type":"memory"}]}]}`,
			[]string{"config.routes[0]", "name", "config.routes[0].destinations[0]", "address"}},
		{"routes that are no list", `{"routes":"all"}`, []string{"config.routes"}},
		{"a header that cannot travel", `{"forward_headers":["connection"]}`, []string{"forward_headers", "connection"}},
		{"a destination that does not acknowledge", `{"routes":[{"name":"r","match":{},"destinations":[{"type":"memory","address":"a","silent":true}]}]}`,
			[]string{`route \"r\"`, "memory://a", "ack: delivered"}},
		{"a setting of the wrong type", `{"timeout":"soon"}`, []string{"timeout"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := newKong(t, plugins.Options{})
			if _, ok := k.start(t, test.config); ok {
				t.Fatal("started")
			}
			for _, want := range test.want {
				if !strings.Contains(k.log.String(), want) {
					t.Errorf("the log does not say %q: %s", want, k.log)
				}
			}
			if n := k.sinks.opened(); n != 0 {
				t.Errorf("%d sinks are left open", n)
			}
		})
	}
}

func TestConfigAsKongSendsIt(t *testing.T) {
	k := newKong(t, plugins.Options{})
	for _, config := range []string{
		`{"__seq__":3,"__plugin_id":"x","routes":null,"ack":null,"timeout":1e+4,"on_success":"respond","event_type":null,"event_source":null,"forward_headers":{},"max_event_bytes":null}`,
		`{"routes":{}}`,
		`{"routes":[]}`,
		``,
	} {
		if _, ok := k.start(t, config); !ok {
			t.Errorf("%s was not started: %s", config, k.log)
		}
	}
}

func TestCloseReleasesSinksAndWaitsForNobody(t *testing.T) {
	k := newKong(t, plugins.Options{})
	release := make(chan struct{})
	k.sinks.on("b", func(context.Context, *keg.Event) error { <-release; return nil })
	id, _ := k.start(t, `{`+routes+`,"ack":"none"}`)
	k.event(t, id, order("1"))
	start := time.Now()
	k.close(t, id) // would not return if it waited
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("Kong waited %v", took)
	}
	close(release)
	deadline := time.Now().Add(5 * time.Second)
	for k.sinks.opened() != 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if n := k.sinks.opened(); n != 0 || len(k.sinks.got("b")) != 1 {
		t.Errorf("%d sinks are open, b has %d events", n, len(k.sinks.got("b")))
	}
}

func TestClientsCannotForgeTheAnswer(t *testing.T) {
	k := newKong(t, plugins.Options{})
	k.sinks.on("b", func(context.Context, *keg.Event) error {
		return keg.Permanent(errors.New("no\r\nSet-Cookie: a=b"))
	})
	id, _ := k.start(t, `{`+routes+`}`)
	got := k.event(t, id, order("1"))
	var problem map[string]any
	if err := json.Unmarshal([]byte(got.body), &problem); err != nil || got.status != http.StatusBadGateway {
		t.Errorf("%d %s: %v", got.status, got.body, err)
	}
	for name := range got.headers {
		if name != "Content-Type" {
			t.Errorf("the answer has a header %s", name)
		}
	}
}

func TestKongGoesAwayInTheMiddle(t *testing.T) {
	k := newKong(t, plugins.Options{})
	id, _ := k.start(t, `{`+routes+`}`)
	for answers := range 4 {
		k.leave(t, id, order("1"), answers)
	}
	if got := k.event(t, id, order("2")); got.status != 200 {
		t.Errorf("after that: %d %s", got.status, got.body)
	}
	for _, e := range k.sinks.got("a") {
		if e.ID != "2" {
			t.Errorf("an event was delivered of which Kong had not told all: %+v", e)
		}
	}
	if lines := k.log.lines("panic"); len(lines) != 0 {
		t.Errorf("%q", lines)
	}
}

func TestManyRequestsAtOnce(t *testing.T) {
	k := newKong(t, plugins.Options{})
	var all sync.WaitGroup
	for worker := range 8 {
		id, ok := k.start(t, `{`+routes+`}`) // each worker of Kong has its own
		if !ok {
			t.Fatal(k.log)
		}
		all.Go(func() {
			for n := range 50 {
				name := fmt.Sprintf("%d-%d", worker, n)
				if got := k.event(t, id, order(name)); got.status != 200 || !strings.Contains(got.body, `"`+name+`"`) {
					t.Errorf("%s: %d %s", name, got.status, got.body)
				}
			}
		})
	}
	all.Wait()
	seen := map[string]bool{}
	for _, e := range k.sinks.got("a") {
		seen[e.ID] = true
	}
	if len(seen) != 400 || len(k.sinks.got("a")) != 400 {
		t.Errorf("%d events, %d of them different", len(k.sinks.got("a")), len(seen))
	}
}
