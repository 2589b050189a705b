package plugins_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
	"github.com/kong/keg/hub"
	"github.com/kong/keg/kong/gateway"
	"github.com/kong/keg/kong/server"
	"github.com/kong/keg/plugins"
	"github.com/kong/keg/router"
)

func TestLogEvents(t *testing.T) {
	k := newKong(t, plugins.Options{})
	id, ok := k.startOf(t, "event-log", `{"node":"edge-1",`+all("a")+`}`)
	if !ok {
		t.Fatal(k.log)
	}
	for i, test := range []struct{ name, id, source, subject string }{
		{"proxied", "56859966339ec26f55971525baaee16d", "//edge-1/services/up", "up"},
		{"no-route", "ebf9107423cc77583933fa5283f64c2a", "//edge-1", ""},
		{"upstream-down", "3a089469e864ea08a1109a49666b0b6b", "//edge-1/services/down", "down"},
		{"short-circuited", "e19eae7a8358f47e6c5ab32a0e7b084a", "//edge-1/services/term", "term"},
	} {
		text := recorded(t, test.name)
		if diff := cmp.Diff([]string{"kong.log.serialize"}, k.logs(t, id, text)); diff != "" {
			t.Errorf("asked of Kong: %s", diff)
		}
		until(t, "the event", func() bool { return len(k.sinks.got("a")) > i })
		var started struct {
			At int64 `json:"started_at"`
		}
		_ = json.Unmarshal([]byte(text), &started)
		want := &keg.Event{
			ID: test.id, Source: test.source, Type: "kong.request.completed", Subject: test.subject, Time: time.UnixMilli(started.At).UTC(),
			DataContentType: "application/json", Data: []byte(text),
		}
		if diff := cmp.Diff(want, k.sinks.got("a")[i]); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

func TestLogEventsAsConfigured(t *testing.T) {
	k := newKong(t, plugins.Options{})
	id, ok := k.startOf(t, "event-log", `{"event_type":"gateway.request","redact":["request.headers.host"],"custom_fields":{"env":"test"},"sampling":1.0,`+all("a")+`}`)
	if !ok {
		t.Fatal(k.log)
	}
	k.logs(t, id, `{"request":{"headers":{"host":"secret","cookie":"secret","keg-hops":"2"}},"service":{"id":"a/b c"},"route":{"id":"r-1"}}`)
	until(t, "the event", func() bool { return len(k.sinks.got("a")) > 0 })
	e := k.sinks.got("a")[0]
	host, _ := os.Hostname()
	if e.Type != "gateway.request" || e.Subject != "r-1" || !strings.HasSuffix(e.Source, "/services/a%2Fb%20c") || len(e.ID) != 36 || time.Since(e.Time) > time.Minute {
		t.Errorf("%+v", e)
	}
	if !strings.Contains(host, "_") && !strings.HasPrefix(e.Source, "//"+host+"/") {
		t.Errorf("of host %q the source is %q", host, e.Source)
	}
	if want := `{"request":{"headers":{"host":"REDACTED","cookie":"REDACTED","keg-hops":"2"}},"service":{"id":"a/b c"},"route":{"id":"r-1"},"env":"test"}`; string(e.Data) != want {
		t.Errorf("%s", e.Data)
	}
	if keg.Hops(e) != 3 {
		t.Errorf("%d hops", keg.Hops(e))
	}
}

// One write, one read: the call comes whole in one piece, nothing else does, and
// the phase ends though nothing is delivered.
func TestALogPhaseIsOneExchange(t *testing.T) {
	k := newKong(t, plugins.Options{})
	k.sinks.on("a", hangs)
	id, _ := k.startOf(t, "event-log", `{"timeout":100,`+all("a")+`}`)
	conn := k.begin(t, id, "log")
	defer conn.Close()
	var piece [4096]byte
	n, err := conn.Read(piece[:])
	const method = "kong.log.serialize"
	if want := "\x12\x00\x00\x00" + method + "\x00\x00\x00\x00"; err != nil || string(piece[:n]) != want {
		t.Fatalf("the first write was %q, %v", piece[:n], err)
	}
	writeFrame(t, conn, append([]byte{10, 2}, "{}"...))
	n, err = conn.Read(piece[:])
	if want := "\x00\x00\x00\x00\x02\x00\x00\x00\x08\x07"; err != nil || string(piece[:n]) != want {
		t.Fatalf("then came %q, %v", piece[:n], err)
	}
}

// A destination that takes nothing must not hold a phase: a worker of Kong's has
// few timers.
func TestADeadDestinationHoldsNoLogPhase(t *testing.T) {
	var busy atomic.Int64
	k := newKongOver(t, plugins.Options{}, hub.Options{MaxInFlight: 100, Observe: func(tr hub.Trace) {
		if _, is := errors.AsType[*keg.BusyError](tr.Receipt.Err); is {
			busy.Add(1)
		}
	}})
	release := make(chan struct{})
	k.sinks.on("a", func(context.Context, *keg.Event) error { <-release; return nil })
	id, _ := k.startOf(t, "event-log", `{"timeout":60000,`+all("a")+`}`)
	const workers, each = 10, 100
	var sending sync.WaitGroup
	for w := range workers {
		sending.Go(func() {
			conn := k.dial(t)
			for i := range each {
				beginOn(t, conn, id, "log")
				serveLog(t, conn, entry(fmt.Sprintf("%d-%d", w, i)))
			}
		})
	}
	sending.Wait() // would not end if a phase waited for the destination
	const sent = workers * each
	until(t, "all to be judged", func() bool { return k.room.Stats().Entries == 0 })
	inFlight, dropped := k.hub.Stats().InFlight, k.room.Stats().Dropped
	if inFlight < 1 || inFlight > 100 || inFlight+dropped != sent {
		t.Errorf("of %d sent, %d are in flight and %d were dropped", sent, inFlight, dropped)
	}
	if busy.Load() != dropped {
		t.Errorf("the metrics are told of %d, of %d dropped", busy.Load(), dropped)
	}
	if lines := k.log.Lines("was dropped"); len(lines) < 1 || len(lines) > 12 {
		t.Errorf("%d lines for %d dropped", len(lines), dropped)
	}
	close(release)
	until(t, "the rest", func() bool { return k.hub.Stats().InFlight == 0 })
	if got := int64(len(k.sinks.got("a"))); got+dropped != sent {
		t.Errorf("of %d sent, %d arrived and %d were dropped", sent, got, dropped)
	}
}

func TestWhatIsNoLogEventIsCountedAndTold(t *testing.T) {
	var mu sync.Mutex
	var rejected []error
	k := newKong(t, plugins.Options{Rejected: func(plugin string, err error) {
		mu.Lock()
		defer mu.Unlock()
		if plugin != "event-log" {
			t.Errorf("of %s", plugin)
		}
		rejected = append(rejected, err)
	}})
	id, _ := k.startOf(t, "event-log", `{"max_event_bytes":1024,"custom_fields":{"x":"`+strings.Repeat("x", 200)+`"},`+all("a")+`}`)
	big := func(size int) string {
		return `{"request":{"id":"big"},"a":"` + strings.Repeat("s", size) + `"}`
	}
	k.logs(t, id, "{broken")
	k.logs(t, id, "")
	k.logs(t, id, big(2000))
	k.logs(t, id, big(900)) // fits, and then not
	k.logs(t, id, `{"route":{"name":"a\nb"}}`)
	k.logs(t, id, entry("good"))
	until(t, "the good one", func() bool { return len(k.sinks.got("a")) > 0 })
	if dropped := k.room.Stats().Dropped; len(k.sinks.got("a")) != 1 || dropped != 5 || len(rejected) != 5 {
		t.Errorf("%d arrived, %d were dropped, %v", len(k.sinks.got("a")), dropped, rejected)
	}
	if !strings.Contains(k.log.String(), "the log entry is larger than 1024 bytes") || !strings.Contains(k.log.String(), "request=big") {
		t.Errorf("%s", k.log)
	}
	if strings.Contains(k.log.String(), "sss") {
		t.Error("the log has an entry's content")
	}
}

func TestSampledLogEvents(t *testing.T) {
	k := newKong(t, plugins.Options{})
	half, _ := k.startOf(t, "event-log", `{"sampling":0.5,`+all("half")+`}`)
	same, _ := k.startOf(t, "event-log", `{"sampling":0.5,`+all("same")+`}`)
	none, _ := k.startOf(t, "event-log", `{"sampling":0,`+all("none")+`}`)
	for i := range 100 {
		for _, id := range []int32{half, same, none} {
			k.logs(t, id, entry(fmt.Sprintf("%032x", i)))
		}
	}
	ids := func(address string) map[string]bool {
		all := map[string]bool{}
		for _, e := range k.sinks.got(address) {
			all[e.ID] = true
		}
		return all
	}
	until(t, "the events", func() bool { return k.room.Stats().Entries == 0 && k.hub.Stats().InFlight == 0 })
	if n := len(ids("half")); n < 25 || n > 75 || len(ids("none")) != 0 {
		t.Errorf("%d of 100 were taken, and %d of none", n, len(ids("none")))
	}
	if diff := cmp.Diff(ids("half"), ids("same")); diff != "" {
		t.Error(diff)
	}
}

// A destination of KEG's that lies behind the same Kong is a circle.
func TestLogEventsInACircle(t *testing.T) {
	k := newKong(t, plugins.Options{})
	id, _ := k.startOf(t, "event-log", `{`+all("a")+`}`)
	k.logs(t, id, `{"request":{"id":"1","headers":{"keg-hops":"16"}}}`)
	k.log.Await(t, "its routes lead in a circle", 1)
	if n := len(k.sinks.got("a")); n != 0 {
		t.Errorf("%d events went round", n)
	}
}

func TestEventLogConfigsThatCannotBe(t *testing.T) {
	k := newKong(t, plugins.Options{})
	for config, wants := range map[string][]string{
		`{"ack":"delivered"}`:     {"config.ack: ", "none of stored, none"},
		`{"ack":"stored"}`:        {"config.ack: stored needs persistence", "or use none"},
		`{"sampling":1.5}`:        {"config.sampling: must be between 0 and 1"},
		`{"sampling":"all"}`:      {"sampling must be a number"},
		`{"node":"a b"}`:          {"config.node: "},
		`{"secrets":{"a b":"x"}}`: {"config.secrets: the name"},
		`{"routes":[{"name":"r"}],"event_type":"a\nb","redact":["a..b"],"custom_fields":{"":"x"},"ack":"delivered"}`: {
			"config.routes[0].match", "config.event_type: has the control character", "config.redact[1]: ", "config.custom_fields: ", "config.ack: "},
	} {
		k.log.Reset()
		if _, ok := k.startOf(t, "event-log", config); ok {
			t.Errorf("%s was started", config)
		}
		for _, want := range wants {
			if !strings.Contains(k.log.String(), want) {
				t.Errorf("%s: the log does not say %q: %s", config, want, k.log)
			}
		}
	}
	if n := k.sinks.opened(); n != 0 {
		t.Errorf("%d sinks are left open", n)
	}
	for _, config := range []string{``, `{}`, `{"routes":null,"ack":null,"custom_fields":null,"redact":{},"sampling":1,"node":null,"__seq__":1}`, `{"custom_fields":[],"redact":[],"routes":{}}`} {
		if _, ok := k.startOf(t, "event-log", config); !ok {
			t.Errorf("%s was not started: %s", config, k.log)
		}
	}
}

func TestEventLogRoutesFindTheirSecrets(t *testing.T) {
	k := newKong(t, plugins.Options{})
	id, ok := k.startOf(t, "event-log", withSecret("a", plantedHMAC))
	if !ok {
		t.Fatal(k.log)
	}
	k.logs(t, id, entry("1"))
	until(t, "the event", func() bool { return len(k.sinks.got("a")) == 1 })
	if got := k.sinks.passwords("a"); len(got) != 1 || got[0] != plantedHMAC {
		t.Errorf("%v", got)
	}
}

// What Kong can tell by the schema alone, it tells whoever writes the config.
func TestEventLogConfigsThatKongRefuses(t *testing.T) {
	p, _ := plugins.ByName("event-log", plugins.Options{Version: "1", Routes: router.Options{Types: memoryTypes}})
	dump, err := server.Dump(p, "/run/keg.socket")
	if err != nil {
		t.Fatal(err)
	}
	for config, want := range map[string]string{
		`{}`: "",
		`{"routes":null,"ack":"stored","sampling":0.25,"node":"edge-1.eu","custom_fields":{"a.b":"c"},"redact":["a.*"],"redact_credentials":false}`: "",
		`{"sampling":1.5}`:                     "between 0 and 1",
		`{"ack":"delivered"}`:                  "expected one of: stored, none",
		`{"node":"a/b"}`:                       "node",
		`{"custom_fields":{"a":1}}`:            "expected a string",
		`{"custom_fields_by_lua":{"a":"b"}}`:   `custom_fields_by_lua="is Lua`,
		`{"redact":"request.headers.cookie"}`:  "redact",
		`{"max_event_bytes":10}`:               "between 1024",
		`{"routes":[{"name":"r","match":{}}]}`: "destinations",
	} {
		_, err := gateway.New(gateway.Options{
			Config: []byte(`{"_format_version":"3.0","plugins":[{"name":"event-log","config":` + config + `}]}`),
			Proxy:  "off", Admin: "off", Prefix: t.TempDir(),
			PluginServers: []gateway.PluginServer{{Name: "event-log", Socket: "/run/keg.socket", Dump: dump}},
		})
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", config, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", config, err, want)
		}
	}
}
