package plugins_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/kong/keg/kong/server"
	"github.com/kong/keg/plugins"
	"github.com/kong/keg/router"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNames(t *testing.T) {
	if diff := cmp.Diff([]string{"event-router", "event-log", "kafka-upstream", "kafka-log"}, plugins.Names()); diff != "" {
		t.Error(diff)
	}
	for _, name := range plugins.Names() {
		if p, ok := plugins.ByName(name, plugins.Options{Version: "1"}); !ok || p.Name != name || p.Version != "1" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if _, ok := plugins.ByName("event-ruoter", plugins.Options{}); ok {
		t.Error("found a plugin that is not there")
	}
}

// field is a field of a schema, as Kong reads it.
type field struct {
	Type, Description string
	Default           any
	OneOf             []string  `json:"one_of"`
	Between           []float64 `json:"between"`
	Required          bool
	Match             string
	Referenceable     bool
	Encrypted         bool
	Elements, Values  *field
	JSONSchema        struct{ Inline map[string]any } `json:"json_schema"`
}

// dumped is what Kong is told of a plugin, and the fields of its config.
func dumped(t *testing.T, name string) (plugin struct {
	Name, Version string
	Priority      int
	Phases        []string
}, fields map[string]field) {
	t.Helper()
	p, _ := plugins.ByName(name, plugins.Options{Version: "1.2.3", Routes: router.Options{Types: memoryTypes}})
	document, err := server.Dump(p, "/run/keg.socket")
	if err != nil {
		t.Fatal(err)
	}
	var dump struct{ Plugins []json.RawMessage }
	var schema struct {
		Schema struct {
			Fields []struct {
				Config struct{ Fields []map[string]field }
			}
		}
	}
	if err := json.Unmarshal(document, &dump); err != nil {
		t.Fatal(err)
	}
	for _, into := range []any{&plugin, &schema} {
		if err := json.Unmarshal(dump.Plugins[0], into); err != nil {
			t.Fatal(err)
		}
	}
	fields = map[string]field{}
	for _, named := range schema.Schema.Fields[0].Config.Fields {
		for name, f := range named {
			fields[name] = f
			if n := len(f.Description); n < 10 || n > 500 {
				t.Errorf("%s: a description of %d bytes", name, n)
			}
			if f.Required {
				t.Errorf("%s is required; an empty config must do", name)
			}
		}
	}
	return plugin, fields
}

// TestSchema holds what Kong is told to what the plugin's documentation says.
func TestSchema(t *testing.T) {
	plugin, fields := dumped(t, "event-router")
	if plugin.Priority != 950 || plugin.Version != "1.2.3" || !slices.Equal(plugin.Phases, []string{"access"}) {
		t.Errorf("%+v", plugin)
	}
	for _, name := range []string{"event_type", "event_source"} { // what no event can have, Kong refuses as far as it can tell
		if fields[name].Match != "^[^%c]+$" {
			t.Errorf("%s: %+v", name, fields[name])
		}
	}
	if f := fields["routes"]; f.Type != "json" || f.JSONSchema.Inline["type"] != "array" {
		t.Errorf("routes: %+v", f)
	}
	for name, want := range map[string]field{
		"ack":        {Type: "string", OneOf: []string{"delivered", "stored", "none"}},
		"on_success": {Type: "string", OneOf: []string{"respond", "continue"}, Default: "respond"},
		"timeout":    {Type: "integer", Between: []float64{1, 55000}, Default: 10000.0},
	} {
		got := fields[name]
		got.Description, got.JSONSchema.Inline = "", nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, name := range []string{"event_type", "event_source", "forward_headers", "max_event_bytes"} {
		if _, ok := fields[name]; !ok {
			t.Errorf("no field %s", name)
		}
	}
}

func TestEventLogSchema(t *testing.T) {
	plugin, fields := dumped(t, "event-log")
	if plugin.Name != "event-log" || plugin.Priority != 12 || !slices.Equal(plugin.Phases, []string{"log"}) {
		t.Errorf("%+v", plugin)
	}
	if f := fields["routes"]; f.Type != "json" || f.JSONSchema.Inline["type"] != "array" {
		t.Errorf("routes: %+v", f)
	}
	text := &field{Type: "string"}
	for name, want := range map[string]field{
		"ack":                {Type: "string", OneOf: []string{"stored", "none"}},
		"timeout":            {Type: "integer", Between: []float64{1, 300000}, Default: 10000.0},
		"event_type":         {Type: "string", Match: "^[^%c]+$", Default: "kong.request.completed"},
		"node":               {Type: "string", Match: "^[%w][%w%.%-]*$"},
		"sampling":           {Type: "number", Between: []float64{0, 1}, Default: 1.0},
		"custom_fields":      {Type: "map", Values: text},
		"redact":             {Type: "array", Elements: text},
		"redact_credentials": {Type: "boolean", Default: true},
		"max_event_bytes":    {Type: "integer", Between: []float64{1024, 67108864}},
		"secrets":            {Type: "map", Values: &field{Type: "string", Referenceable: true, Encrypted: true}},
	} {
		got := fields[name]
		got.Description = ""
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if len(fields) != 12 {
		t.Errorf("%d fields", len(fields))
	}
}
