package plugins_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
	"github.com/kong/keg/cloudevents"
	"github.com/kong/keg/plugins"
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

func TestAHeaderThatFeedsAnAttributeMustBeUTF8(t *testing.T) {
	k := newKong(t, plugins.Options{})
	id, _ := k.start(t, `{`+routes+`}`)
	plain := structured("application/json", `{"event_type":"order.created"}`)
	for name, request := range map[string]request{
		"X-Event-Type":                   plain.with("x-event-type", "\xff\xfe"),
		"Content-Type":                   plain.with("content-type", "text/\xff"),
		"an attribute of a binary event": order("1").with("ce-subject", "\xff"),
	} {
		if got := k.event(t, id, request); got.status != 400 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if n := len(k.sinks.got("a")); n != 0 {
		t.Errorf("%d events were made of them all the same", n)
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
	if lines := k.log.Lines("panic"); len(lines) != 0 {
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
