package plugins_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kong/keg/test/ports"
)

// logConfig is what the recordings of a running Kong were made with: services
// that are there and not, a route that is cut short, and a global plugin.
const logConfig = `
_format_version: "3.0"
services:
- {name: up, url: %q, routes: [{name: up, paths: [/up]}]}
- {name: down, url: %q, retries: 0, routes: [{name: down, paths: [/down]}]}
routes:
- name: term
  paths: [/term]
  plugins: [{name: request-termination, config: {status_code: 202}}]
- name: events
  paths: [/events]
  plugins: [{name: event-router, config: {routes: [{name: r, match: {}, destinations: [{type: http, address: %q}]}]}}]
plugins:
- name: event-log
  config:
    node: edge-1
    redact: [request.querystring.token]
    custom_fields: {environment: test}
    routes: [{name: log, match: {}, destinations: [{type: http, address: %q}]}]
`

// loggedEvent is what a webhook was sent.
type loggedEvent struct {
	header http.Header
	entry  struct {
		Environment string
		Source      string
		Request     struct {
			ID, URI, URL string
			Headers      map[string]any
			Querystring  map[string]any
		}
		Response struct {
			Status  int
			Headers map[string]any
		}
		UpstreamURI string `json:"upstream_uri"`
	}
	text string
}

func TestEventLogThroughKong(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "session=s3cret")
	}))
	t.Cleanup(upstream.Close)
	logged, events := make(chan loggedEvent, 10), make(chan string, 10)
	webhook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/events" {
			events <- r.Header.Get("Ce-Type")
			return
		}
		e := loggedEvent{header: r.Header, text: string(body)}
		if err := json.Unmarshal(body, &e.entry); err != nil {
			t.Error(err)
		}
		logged <- e
	}))
	t.Cleanup(webhook.Close)
	nowhere, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	proxy := startGateway(t, fmt.Sprintf(logConfig, upstream.URL, "http://"+nowhere, webhook.URL+"/events", webhook.URL+"/log"))

	for _, test := range []struct {
		path                    string
		status                  int
		ceSource, subject, kong string
	}{
		{"/up/x?token=s3cret&a=b", 200, "//edge-1/services/up", "up", "upstream"},
		{"/down?token=s3cret", 502, "//edge-1/services/down", "down", "kong"},
		{"/term?token=s3cret", 202, "//edge-1", "term", "kong"},
		{"/events?token=s3cret", 200, "//edge-1", "events", "kong"},
		{"/nosuch?token=s3cret", 404, "//edge-1", "", "kong"},
	} {
		t.Run(strings.Trim(test.path[:strings.Index(test.path, "?")], "/"), func(t *testing.T) {
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+proxy+test.path, nil)
			r.Header.Set("Cookie", "session=s3cret")
			r.Header.Set("Authorization", "Bearer s3cret")
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			if answer.StatusCode != test.status {
				t.Fatalf("answered %d", answer.StatusCode)
			}
			var e loggedEvent
			select {
			case e = <-logged:
			case <-time.After(15 * time.Second):
				t.Fatal("no event came")
			}
			h := e.header
			if h.Get("Ce-Type") != "kong.request.completed" || h.Get("Ce-Source") != test.ceSource || h.Get("Ce-Subject") != test.subject || h.Get("Content-Type") != "application/json" {
				t.Errorf("%v", h)
			}
			if id := answer.Header.Get("X-Kong-Request-Id"); id == "" || h.Get("Ce-Id") != id || e.entry.Request.ID != id {
				t.Errorf("request %q became event %q, of request %q", id, h.Get("Ce-Id"), e.entry.Request.ID)
			}
			if at, err := time.Parse(time.RFC3339, h.Get("Ce-Time")); err != nil || time.Since(at).Abs() > time.Minute {
				t.Errorf("its time is %q", h.Get("Ce-Time"))
			}
			if e.entry.Response.Status != test.status || e.entry.Source != test.kong || e.entry.Environment != "test" {
				t.Errorf("%+v", e.entry)
			}
			if strings.Contains(e.text, "s3cret") || !strings.Contains(e.entry.Request.URI, "token=REDACTED") || e.entry.Request.Headers["cookie"] != "REDACTED" {
				t.Errorf("%s", e.text)
			}
			if test.path[:3] == "/up" && (e.entry.Response.Headers["set-cookie"] != "REDACTED" || e.entry.UpstreamURI != "/x?token=REDACTED&a=b") {
				t.Errorf("%s", e.text)
			}
		})
	}
	if kind := <-events; kind != "http.request" {
		t.Errorf("event-router sent %q", kind)
	}
}

// A destination that takes nothing slows no request: all are answered before it
// has answered one.
func TestASlowDestinationSlowsNoRequest(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(upstream.Close)
	release, reached := make(chan struct{}), make(chan struct{}, 1000)
	webhook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		reached <- struct{}{}
		<-release
	}))
	t.Cleanup(webhook.Close)
	proxy := startGateway(t, fmt.Sprintf(logConfig, upstream.URL, upstream.URL, webhook.URL, webhook.URL))
	t.Cleanup(func() { close(release) }) // before the gateway stops
	const sent = 100
	for range sent {
		answer, err := http.Get("http://" + proxy + "/up")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if answer.StatusCode != 200 {
			t.Fatalf("answered %d", answer.StatusCode)
		}
	}
	for range sent { // and every one of them is on its way
		select {
		case <-reached:
		case <-time.After(15 * time.Second):
			t.Fatal("a log phase was held up")
		}
	}
}
