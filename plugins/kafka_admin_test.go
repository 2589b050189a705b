package plugins_test

import (
	"net/http"
	"strings"
	"testing"

	kongclient "github.com/kong/go-kong/kong"
)

// TestKafkaPluginsByTheAdminAPI creates, changes and deletes both plugins with
// Kong's own client, and gives them what they refuse.
func TestKafkaPluginsByTheAdminAPI(t *testing.T) {
	m, ctx := newManaged(t, 1), t.Context()
	route, err := m.admin.Routes.Create(ctx, &kongclient.Route{Name: kongclient.String("r"), Paths: kongclient.StringSlice("/r")})
	if err != nil {
		t.Fatal(err)
	}
	config := func(topic string) kongclient.Configuration {
		return kongclient.Configuration{
			"bootstrap_servers": []any{map[string]any{"host": "kafka", "port": 9092}}, "topic": topic, "producer_async": false,
		}
	}
	create := func(name string, c kongclient.Configuration) (*kongclient.Plugin, error) {
		return m.admin.Plugins.CreateForRoute(ctx, route.ID, &kongclient.Plugin{Name: &name, Config: c})
	}
	upstream, err := create("kafka-upstream", config("one"))
	if err != nil {
		t.Fatal(err)
	}
	log, err := create("kafka-log", config("log"))
	if err != nil {
		t.Fatal(err)
	}
	posts := func(id string, records int) string {
		t.Helper()
		before := len(m.sinks.got("kafka"))
		if status, answer, err := m.post(ctx, "/r", id); err != nil || status != http.StatusOK {
			t.Fatalf("%d %s %v", status, answer, err)
		}
		until(t, "the records", func() bool { return len(m.sinks.got("kafka")) == before+records })
		return string(m.sinks.got("kafka")[before].Data)
	}
	if record := posts("e-1", 2); record != `{"body":"{\"event_id\":\"e-1\"}","body_args":{"event_id":"e-1"}}` {
		t.Errorf("the record is %s", record)
	}

	upstream.Config["forward_method"] = true
	if upstream, err = m.admin.Plugins.Update(ctx, upstream); err != nil {
		t.Fatal(err)
	}
	if record := posts("e-2", 2); !strings.HasPrefix(record, `{"method":"POST",`) {
		t.Errorf("a change does not hold for the next request: %s", record)
	}
	if err := m.admin.Plugins.Delete(ctx, log.ID); err != nil {
		t.Fatal(err)
	}
	posts("e-3", 1)

	for field, value := range map[string]any{
		"message_by_lua_functions": []any{"return 1"}, "schema_registry": map[string]any{"confluent": map[string]any{"url": "http://registry"}},
		"producer_request_acks": 2, "topic": "a b", "authentication": map[string]any{"strategy": "sasl"},
	} {
		wrong := config("one")
		wrong[field] = value
		_, err := create("kafka-upstream", wrong)
		if api, ok := err.(*kongclient.APIError); !ok || api.Code() != http.StatusBadRequest || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := m.admin.Plugins.Delete(ctx, upstream.ID); err != nil {
		t.Fatal(err)
	}
	if status, answer, err := m.post(ctx, "/r", "e-4"); err != nil || status == http.StatusOK {
		t.Errorf("a plugin that is deleted still answers: %d %s %v", status, answer, err)
	}
}
