package plugins_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
	"github.com/kong/keg/hub"
	"github.com/kong/keg/outbox/embedded"
	"github.com/kong/keg/plugins"
)

// upstream starts an instance of kafka-upstream with these fields beside the
// least.
func (k *kong) upstream(t testing.TB, fields string) int32 {
	t.Helper()
	return k.kafka(t, "kafka-upstream", fields)
}

func (k *kong) kafka(t testing.TB, plugin, fields string) int32 {
	t.Helper()
	config := `{"bootstrap_servers":[{"host":"kafka","port":9092}],"topic":"t"`
	if fields != "" {
		config += "," + fields
	}
	id, ok := k.startOf(t, plugin, config+"}")
	if !ok {
		t.Fatalf("not started: %s", k.log)
	}
	return id
}

func plain(line string) request {
	return request{id: "kong-1", line: line, body: `{"n":1}`, headers: map[string][]string{"content-type": {"application/json"}, "x-tenant": {"blue", "red"}}}
}

func unreachable(context.Context, *keg.Event) error {
	return keg.Unreachable(errors.New("connection refused"))
}

// TestKafkaUpstreamAnswers is what a client hears.
func TestKafkaUpstreamAnswers(t *testing.T) {
	const sync = `"producer_async":false`
	for _, test := range []struct {
		name, config string
		request      request
		do           sendFunc
		status       int
		body         string
		logged       string
	}{
		{name: "sent", config: sync, status: 200, body: `{"message":"message sent"}`},
		{name: "refused by the broker", config: sync, do: refuses, status: 502, body: `{"message":"Bad Gateway","error":"could not send message to topic"}`, logged: "403 Forbidden"},
		{name: "refused, and the cause is told", config: sync + `,"error_handling":{"return_error_message":true}`, do: refuses, status: 502,
			body: `{"message":"Bad Gateway","error":"could not send message to topic: kafka://kafka:9092/t: 403 Forbidden"}`, logged: "403 Forbidden"},
		{name: "not reached", config: sync + `,"producer_request_retries_max_attempts":2`, do: unreachable, status: 502, body: `{"message":"Bad Gateway","error":"could not send message to topic"}`, logged: "connection refused"},
		{name: "no answer in time", config: sync + `,"timeout":50`, do: hangs, status: 502, body: `{"message":"Bad Gateway","error":"could not send message to topic"}`, logged: "deadline"},
		{name: "nobody waits for the broker", status: 200, body: `{"message":"message sent"}`, do: refuses},
		{name: "without a promise", config: `"producer_request_acks":0`, status: 200, body: `{"message":"message sent"}`, do: refuses},
		{name: "a body that is not what it says", request: structured("application/json", "{"), status: 400, body: `{"message":"\"body\" is no JSON object or list"}`, logged: "no JSON"},
		{name: "a body that is too large", config: `"producer_request_limits_bytes_per_request":1024`, request: structured("text/plain", strings.Repeat("x", 1025)), status: 413,
			body: `{"message":"the body is larger than 1024 bytes (producer_request_limits_bytes_per_request)"}`, logged: "1024"},
		{name: "a record that is too large", config: `"producer_request_limits_bytes_per_request":1024`, request: structured("image/png", strings.Repeat("x", 800)), status: 413,
			body: `{"message":"the record is larger than 1024 bytes (producer_request_limits_bytes_per_request)"}`, logged: "1024"},
		{name: "a body that Kong could not read", request: request{noBody: "no body for you"}, status: 500, body: `{"message":"Internal Server Error"}`, logged: "no body for you"},
		{name: "more headers than Kong shows", config: `"forward_headers":true`, request: plain("").with("x-many", strings.Split(strings.Repeat("x", 1000), "")...), status: 413,
			body: `{"message":"the header section is larger than 999 fields"}`, logged: "header"},
		{name: "a topic that is not allowed", config: `"topics_query_arg":"to","allowed_topics":["a"]`, request: plain("POST /?to=a,secret HTTP/1.1"), status: 400,
			body: `{"message":"\"to\" names a topic that is not allowed"}`, logged: "not allowed"},
		{name: "a key with a line break", config: `"key_query_arg":"key"`, request: plain("POST /?key=a%0Ab HTTP/1.1"), status: 400, body: `control character`, logged: "control character"},
		{name: "a key that is too long", config: `"key_query_arg":"key"`, request: plain("POST /?key=" + strings.Repeat("k", 4097) + " HTTP/1.1"), status: 413, body: `the key is larger than 4096 bytes`, logged: "4096"},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := newKong(t, plugins.Options{})
			k.sinks.on("kafka", test.do)
			if test.request.id == "" && test.request.noBody == "" {
				test.request = plain("POST /events HTTP/1.1")
			}
			got := k.event(t, k.upstream(t, test.config), test.request)
			if got.status != test.status || !strings.Contains(got.body, test.body) {
				t.Errorf("answered %d %s, want %d with %s", got.status, got.body, test.status, test.body)
			}
			if got.headers.Get("Content-Type") != "application/json; charset=utf-8" {
				t.Errorf("headers %v", got.headers)
			}
			lines := k.log.Lines("a request was refused")
			if test.logged == "" && len(lines) != 0 || test.logged != "" && (len(lines) != 1 || !strings.Contains(lines[0], test.logged)) {
				t.Errorf("logged %q", lines)
			}
		})
	}
}

// TestKafkaUpstreamAsksForNoMoreThanItNeeds: each call costs Kong time.
func TestKafkaUpstreamAsksForNoMoreThanItNeeds(t *testing.T) {
	const id, body = "kong.nginx.get_var kong_request_id", "kong.request.get_raw_body"
	for config, want := range map[string][]string{
		``: {id, "kong.request.get_header", body},
		`"forward_body":false,"forward_uri":true`:                                                  {id, "kong.nginx.get_var request_uri", "kong.request.get_raw_query"},
		`"forward_body":false,"forward_method":true`:                                               {id, "kong.request.get_method"},
		`"forward_headers":true`:                                                                   {id, "kong.request.get_headers", body},
		`"headers":{"forward_all_by_default":true}`:                                                {id, "kong.request.get_headers", body},
		`"headers":{"forward_all_by_default":true,"forward_http_headers_as_record_headers":false}`: {id, "kong.request.get_header", body},
		`"key_query_arg":"key"`:                                                                    {id, "kong.request.get_raw_query", "kong.request.get_header", body},
		`"topics_query_arg":"to"`:                                                                  {id, "kong.request.get_raw_query", "kong.request.get_header", body},
	} {
		k := newKong(t, plugins.Options{})
		got := k.event(t, k.upstream(t, config), plain("POST /events?key=1 HTTP/1.1"))
		if diff := cmp.Diff(want, got.asked); diff != "" || got.status != 200 {
			t.Errorf("%s: %d, %s", config, got.status, diff)
		}
	}
}

func TestClientsPickTopicsAndKeys(t *testing.T) {
	k := newKong(t, plugins.Options{})
	id := k.upstream(t, `"producer_async":false,"topics_query_arg":"to","allowed_topics":["a","b"],"key_query_arg":"key"`)
	for query, want := range map[string][]string{
		"to=a,b&key=k":    {"a k", "b k"},
		"to=b,b,%20t,":    {"b ", "t "},
		"to=&key=%F6":     {"t ö"},
		"other=a&key":     {"t "},
		"to=a&to=b&key=1": {"a 1"},
	} {
		k.sinks.mu.Lock()
		k.sinks.sent["kafka"] = nil
		k.sinks.mu.Unlock()
		if got := k.event(t, id, plain("POST /?"+query+" HTTP/1.1")); got.status != 200 {
			t.Fatalf("%s: %d %s", query, got.status, got.body)
		}
		var got []string
		ids := map[string]bool{}
		for _, e := range k.sinks.got("kafka") {
			got = append(got, e.Extensions["kafkatopic"]+" "+e.Extensions["kafkakey"])
			ids[e.ID] = true
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" || len(ids) != len(want) {
			t.Errorf("%s: %s, ids %v", query, diff, ids)
		}
	}
}

func TestRecordsHaveTheHeadersThatWereAskedFor(t *testing.T) {
	r := plain("POST / HTTP/1.1").with("x-name", "J\xf6rg").with("connection", "close").with("keg-hops", "7").with("keg-dlq-reason", "forged")
	for config, want := range map[string]keg.Headers{
		``: nil,
		`"include_headers":["X-Tenant","Nowhere"]`: {"x-tenant": {"blue", "red"}},
		`"forward_all_by_default":true`:            {"x-tenant": {"blue", "red"}, "x-name": {"Jörg"}, "content-type": {"application/json"}},
		`"forward_all_by_default":true,"exclude_headers":["X-NAME","content-type"],"repeated_headers_behavior":"take_first"`: {"x-tenant": {"blue"}},
		`"include_headers":["x-tenant"],"repeated_headers_behavior":"concatenate_by_comma"`:                                  {"x-tenant": {"blue,red"}},
		`"include_headers":["x-tenant","x-name"],"name_mappings":{"X-Tenant":"T","x-name":"T"}`:                              {"T": {"Jörg", "blue", "red"}},
		`"include_headers":["connection","keg-hops","keg-dlq-reason"]`:                                                       {},
		`"forward_http_headers_as_record_headers":false,"include_headers":["x-tenant"]`:                                      nil,
	} {
		k := newKong(t, plugins.Options{})
		if got := k.event(t, k.upstream(t, `"producer_async":false,"headers":{`+config+`}`), r); got.status != 200 {
			t.Fatalf("%s: %d %s", config, got.status, got.body)
		}
		if diff := cmp.Diff(want, k.sinks.got("kafka")[0].Headers); diff != "" {
			t.Errorf("%s: %s", config, diff)
		}
	}
}

// TestRecordsWaitForAClusterThatIsAway: a client that has its 200 loses nothing
// while there is room, and a full buffer is a 503.
func TestRecordsWaitForAClusterThatIsAway(t *testing.T) {
	k := newKong(t, plugins.Options{})
	var back atomic.Bool
	k.sinks.on("kafka", func(ctx context.Context, e *keg.Event) error {
		if !back.Load() {
			return unreachable(ctx, e)
		}
		return nil
	})
	id := k.upstream(t, `"producer_async_buffering_limits_messages_in_memory":50,"timeout":500`)
	for i := range 50 {
		if got := k.event(t, id, plain("POST / HTTP/1.1")); got.status != 200 {
			t.Fatalf("record %d: %d %s", i, got.status, got.body)
		}
	}
	got := k.event(t, id, plain("POST / HTTP/1.1"))
	if got.status != 503 || got.body != `{"message":"too many records wait to be sent"}` || got.headers.Get("Retry-After") != "1" {
		t.Errorf("a full buffer: %d %s %v", got.status, got.body, got.headers)
	}
	back.Store(true)
	until(t, "the records", func() bool { return len(k.sinks.got("kafka")) == 50 })
	until(t, "room", func() bool { return k.event(t, id, plain("POST / HTTP/1.1")).status == 200 })
	until(t, "the last one", func() bool { return len(k.sinks.got("kafka")) == 51 })
	if s := k.room.Stats(); s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
}

// What was on its way when the cluster went away has no time left for another
// attempt, and waits as the others do. One that never ends is given up, and those
// behind it are sent.
func TestRecordsWhoseTimeRanOutWait(t *testing.T) {
	k := newKong(t, plugins.Options{})
	var attempts, endless atomic.Int64
	k.sinks.on("kafka", func(ctx context.Context, e *keg.Event) error {
		if strings.Contains(string(e.Data), "endless") {
			endless.Add(1)
			<-ctx.Done()
			return ctx.Err()
		}
		if attempts.Add(1) > 2 {
			return nil
		}
		time.Sleep(195 * time.Millisecond)
		return errors.New("the broker closed the connection")
	})
	id := k.upstream(t, `"timeout":200,"forward_uri":true`)
	k.event(t, id, plain("POST / HTTP/1.1"))
	until(t, "the record", func() bool { return len(k.sinks.got("kafka")) == 1 })
	if s := k.room.Stats(); s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
	k.event(t, id, plain("POST /endless HTTP/1.1"))
	k.event(t, id, plain("POST / HTTP/1.1"))
	until(t, "the one behind it", func() bool { return len(k.sinks.got("kafka")) == 2 })
	if s := k.room.Stats(); s.Dropped != 1 || endless.Load() < 2 {
		t.Errorf("%+v after %d attempts", s, endless.Load())
	}
}

func TestWhatIsLostInTheBackgroundIsCountedAndLogged(t *testing.T) {
	k := newKong(t, plugins.Options{})
	k.sinks.on("kafka", refuses)
	id := k.upstream(t, "")
	for range 20 {
		if got := k.event(t, id, plain("POST / HTTP/1.1")); got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	until(t, "the losses", func() bool { return k.room.Stats().Dropped == 20 })
	if lines := k.log.Lines("a record was lost"); len(lines) < 10 || !strings.Contains(lines[9], "lost_so_far=10") || !strings.Contains(lines[0], "403 Forbidden") || !strings.Contains(lines[0], "request=kong-1") {
		t.Errorf("%q", lines)
	}
}

// An instance that closes while the cluster is away gives up what waits, and says
// so.
func TestAnInstanceThatClosesTellsWhatItLeaves(t *testing.T) {
	k := newKong(t, plugins.Options{})
	k.sinks.on("kafka", unreachable)
	id := k.upstream(t, `"timeout":10`)
	for range 3 {
		k.event(t, id, plain("POST / HTTP/1.1"))
	}
	k.close(t, id)
	until(t, "the losses", func() bool { return k.room.Stats() == plugins.LogRoomStats{Dropped: 3} })
	until(t, "the sink's end", func() bool { return k.sinks.opened() == 0 })
}

// TestAClusterThatIsAwayIsToldOf: with health gating a client hears at once.
func TestAClusterThatIsAwayIsToldOf(t *testing.T) {
	k := newKong(t, plugins.Options{})
	var back atomic.Bool
	k.sinks.on("kafka", func(ctx context.Context, e *keg.Event) error {
		if !back.Load() {
			return unreachable(ctx, e)
		}
		return nil
	})
	id := k.upstream(t, `"producer_async_health_gating":true,"producer_async_failure_threshold":2,"producer_async_probe_interval":3600000,"timeout":200`)
	until(t, "a 503", func() bool {
		got := k.event(t, id, plain("POST / HTTP/1.1"))
		return got.status == 503 && got.body == `{"message":"the Kafka cluster is away"}` && got.headers.Get("Retry-After") == "3600"
	})
	back.Store(true)
	until(t, "a 200", func() bool { return k.event(t, id, plain("POST / HTTP/1.1")).status == 200 })
}

// TestRecordsAreKeptWhereTheNodeKeeps: a 200 is on disk, and survives the node.
func TestRecordsAreKeptWhereTheNodeKeeps(t *testing.T) {
	store, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	k := newKongOver(t, plugins.Options{}, hub.Options{Store: store})
	release := make(chan struct{})
	k.sinks.on("kafka", func(context.Context, *keg.Event) error { <-release; return nil })
	id := k.upstream(t, `"__plugin_id":"p-1"`)
	log := k.kafka(t, "kafka-log", `"__plugin_id":"p-2"`)
	for i := range 3 {
		r := plain("POST / HTTP/1.1")
		r.id = fmt.Sprint(i)
		if got := k.event(t, id, r); got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		k.logs(t, log, fmt.Sprintf(`{"request":{"id":"%d","uri":"/"}}`, i))
	}
	until(t, "six stored records", func() bool {
		stats, err := store.Stats(t.Context())
		var waiting int64
		for _, q := range stats.Queues {
			waiting += q.Waiting
		}
		return err == nil && waiting == 6
	})
	close(release)
	until(t, "six records", func() bool { return len(k.sinks.got("kafka")) == 6 })
}
