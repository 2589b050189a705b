package declarative

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestConsumersOfADocument(t *testing.T) {
	c := load(t, `
_format_version: "3.0"
consumers:
- {username: ann, custom_id: "7", tags: [a], plugins: [{name: go-probe, config: {mode: m}}]}
- {custom_id: only}
plugins: [{name: request-termination, consumer: ann}]
`)
	ann := c.Consumers[0]
	if ann.Name != "ann" || ann.CustomID != "7" || ann.ID != entityID("consumers", "ann") || c.Consumers[1].Name != "" {
		t.Errorf("%+v", c.Consumers)
	}
	for _, p := range c.Plugins {
		if p.Consumer != ann || p.Fields["consumer"].(map[string]any)["id"] != ann.ID {
			t.Errorf("%s is applied to %v", p.Name, p.Fields["consumer"])
		}
	}
	wire := string(c.Plugins[0].PluginConfig(nil, nil))
	for _, part := range []string{`"consumer_id":"` + ann.ID + `"`, `"__key__":"plugins:go-probe:::` + ann.ID + `::` + Workspace + `"`} {
		if !strings.Contains(wire, part) {
			t.Errorf("%s is without %s", wire, part)
		}
	}
	for text, problem := range map[string]string{
		"consumers: [{tags: [a]}]":                                              "consumers[1].@entity[1]: at least one of these fields must be non-empty: 'custom_id', 'username'",
		"consumers: [{username: a}, {username: a}]":                             "consumers[2].username: uniqueness violation: 'consumers' entity with username set to 'a' already declared",
		"consumers: [{username: a, keyauth_credentials: []}]":                   "consumers[1].keyauth_credentials: not supported by this stand-in for Kong; Kong itself has it",
		"consumers: [{username: a, custom_id: c}, {username: b, custom_id: c}]": "consumers[2].custom_id: uniqueness violation: 'consumers' entity with custom_id set to 'c' already declared",
		"plugins: [{name: go-probe, consumer: nobody}]":                         "plugins.go-probe[1]: invalid reference 'consumer: nobody' (no such entry in 'consumers')",
	} {
		if got := problems(t, "_format_version: '3.0'\n"+text); len(got) != 1 || got[0] != problem {
			t.Errorf("%s: %q, want %q", text, got, problem)
		}
	}
}

// TestChangesLeaveTheOldConfigurationAlone: requests under way still read it.
func TestChangesLeaveTheOldConfigurationAlone(t *testing.T) {
	l := loader(t)
	before, err := l.Load([]byte(`
_format_version: "3.0"
services: [{name: s, host: old, routes: [{name: r, paths: [/r], plugins: [{name: go-probe, config: {mode: old, list: [1, 2]}}]}]}]
`))
	if err != nil {
		t.Fatal(err)
	}
	service, route, plugin := before.Services[0], before.Routes[0], before.Plugins[0]
	mode, seq, hash := plugin.Config["mode"], plugin.Seq, before.Hash
	c := before
	step := func(next *Config, _ *Entity, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		c = next
	}
	step(l.Update(c, services, "s", map[string]any{"host": "new"}))
	if c.Routes[0].Service.Host != "new" || c.Plugins[0].Route != c.Routes[0] {
		t.Error("the route, or its plugin, points to what was before")
	}
	if c.Plugins[0].Seq != seq {
		t.Error("a service's change renewed the plugin's instances")
	}
	step(l.Update(c, plugins, plugin.ID, map[string]any{"config": map[string]any{"mode": "new"}}))
	if got := c.Plugins[0].Config; got["mode"] != "new" || fmt.Sprint(got["list"]) != "[1 2]" || c.Plugins[0].Seq == seq {
		t.Errorf("%v, seq %d", got, c.Plugins[0].Seq)
	}
	step(l.Put(c, routes, "r", map[string]any{"paths": []any{"/new"}}))
	if c.Routes[0].Service != nil || c.Plugins[0].Route.Paths[0] != "/new" {
		t.Errorf("%+v", c.Routes[0])
	}
	next, err := l.Remove(c, routes, "r")
	if err != nil || len(next.Routes)+len(next.Plugins) != 0 || len(c.Plugins) != 1 {
		t.Errorf("%v %+v", err, next)
	}
	if before.Services[0] != service || service.Host != "old" || before.Routes[0] != route || route.Service != service || route.Paths[0] != "/r" ||
		before.Plugins[0] != plugin || plugin.Config["mode"] != mode || plugin.Seq != seq || before.Hash != hash || c.Hash == hash {
		t.Error("the configuration before is another one now")
	}
}

func TestReadOnlyRefusesAsKongDoesWithoutADatabase(t *testing.T) {
	l := loader(t)
	l.ReadOnly = true
	c, err := l.Load([]byte("_format_version: '3.0'\nservices: [{name: s, host: h}]"))
	if err != nil {
		t.Fatal(err)
	}
	id := c.Services[0].ID
	change := func(_ *Config, _ *Entity, err error) error { return err }
	remove := func(_ *Config, err error) error { return err }
	for name, step := range map[string]struct {
		err  error
		want string
	}{
		"create":         {change(l.Create(c, services, map[string]any{"host": "h"})), "cannot create 'services' entities when not using a database"},
		"create badly":   {change(l.Create(c, services, map[string]any{})), "schema violation (host: required field missing)"},
		"update":         {change(l.Update(c, services, id, map[string]any{"port": 1.0})), "cannot update 'services' entities when not using a database"},
		"update by name": {change(l.Update(c, services, "s", map[string]any{})), "cannot update 'services' entities by 'name' when not using a database"},
		"update nothing": {change(l.Update(c, services, "t", map[string]any{})), "could not find the entity with '{name=\"t\"}'"},
		"put":            {change(l.Put(c, services, id, map[string]any{"host": "h"})), "cannot create or update 'services' entities when not using a database"},
		"put by name":    {change(l.Put(c, services, "t", map[string]any{"host": "h"})), "cannot create or update 'services' entities by 'name' when not using a database"},
		"remove":         {remove(l.Remove(c, services, id)), "cannot remove 'services' entities when not using a database"},
		"remove by name": {remove(l.Remove(c, services, "s")), "cannot remove 'services' entities by 'name' when not using a database"},
		"remove nothing": {remove(l.Remove(c, services, "t")), ""},
	} {
		said := ""
		if step.err != nil {
			said = step.err.Error()
		}
		if said != step.want {
			t.Errorf("%s: %q, want %q", name, said, step.want)
		}
	}
}

func TestEntitiesAreBounded(t *testing.T) {
	full := &Config{Consumers: make([]*Consumer, maxEntities)}
	for i := range full.Consumers {
		full.Consumers[i] = &Consumer{}
	}
	_, _, err := loader(t).Create(full, consumers, map[string]any{"username": "one"})
	var refused *Error
	if !errors.As(err, &refused) || !strings.Contains(refused.Message, "holds 50000 entities and no more") {
		t.Errorf("%v", err)
	}
}

func TestWhatIsWrittenAsYAMLIsReadAgain(t *testing.T) {
	c := load(t, `
_format_version: "3.0"
services: [{name: s, host: h, tags: ["yes", "1"], routes: [{name: r, paths: [/r], headers: {x-a: ["1"]}, plugins: [{name: go-probe, config: {list: [1], note: "07"}}]}]}]
consumers: [{username: "12"}]
`)
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "e+") || !strings.Contains(string(text), "connect_timeout: 60000\n") {
		t.Errorf("numbers are not as people write them:\n%s", text)
	}
	again := load(t, string(text))
	for _, k := range Kinds() {
		was, is := c.Entities(k), again.Entities(k)
		if len(was) != len(is) || len(was) == 0 {
			t.Fatalf("%s: %d, then %d\n%s", k.Name, len(was), len(is), text)
		}
		for i := range was {
			if fmt.Sprint(was[i].Fields) != fmt.Sprint(is[i].Fields) {
				t.Errorf("%s: %v, then %v", k.Name, was[i].Fields, is[i].Fields)
			}
		}
	}
}
