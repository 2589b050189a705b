package plugins_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/kong/keg"
	"github.com/kong/keg/plugins"
	"github.com/kong/keg/router"
)

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
		{name: "no time at all", config: `"timeout":1`, request: order("1"), b: hangs, status: 504, body: "memory://b"},
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
			refused := k.log.Lines("an event was refused")
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

// Under ack none nothing is known yet that could fail: the request goes on.
func TestContinueWithoutAPromise(t *testing.T) {
	k := newKong(t, plugins.Options{})
	k.sinks.on("b", refuses)
	id, _ := k.start(t, `{`+routes+`,"ack":"none","on_success":"continue"}`)
	if got := k.event(t, id, order("1")); got.status != 0 {
		t.Errorf("answered %d %s", got.status, got.body)
	}
	if got := k.event(t, id, order("2").with("ce-source")); got.status != 400 {
		t.Errorf("no event at all: %d %s", got.status, got.body)
	}
}

func TestRefusalIsOneLineOfTheLog(t *testing.T) {
	k := newKong(t, plugins.Options{})
	k.sinks.on("b", func(context.Context, *keg.Event) error {
		return keg.Permanent(errors.New("no\r\ntime=forged level=INFO"))
	})
	id, _ := k.start(t, `{`+routes+`}`)
	k.event(t, id, order("1"))
	lines := k.log.Lines("forged")
	if len(lines) != 1 || !strings.Contains(lines[0], "level=ERROR") || !strings.Contains(lines[0], "request=kong-1") ||
		!strings.Contains(lines[0], "id=1") || !strings.Contains(lines[0], "status=502") || !strings.Contains(lines[0], "memory://b") {
		t.Errorf("%q", lines)
	}
	k.event(t, id, structured(batch, inBatch("", "order.created", "")))
	if lines := k.log.Lines("refused=3"); len(lines) != 1 || !strings.Contains(lines[0], "events=3") {
		t.Errorf("a batch: %s", k.log)
	}
	k.event(t, id, order("").with("ce-id", ""))
	if lines := k.log.Lines("status=400"); len(lines) != 1 || !strings.Contains(lines[0], "level=WARN") {
		t.Errorf("a sender's own mistake: %q", lines)
	}
}

// What strangers send through any instance must not fill the disk that events are
// kept on.
func TestAFloodOfRefusedEventsIsNotALineEach(t *testing.T) {
	const events = 2500
	k := newKong(t, plugins.Options{})
	one, _ := k.start(t, `{`+routes+`}`)
	other, _ := k.start(t, `{`+routes+`,"ack":"none"}`)
	for i := range events {
		if got := k.event(t, []int32{one, other}[i%2], order("").with("ce-id", "")); got.status != 400 {
			t.Fatalf("answered %d %s", got.status, got.body)
		}
	}
	if lines := len(k.log.Lines("an event was refused")); lines < 1000 || lines > events*4/5 {
		t.Errorf("%d lines for %d events", lines, events)
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
