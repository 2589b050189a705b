package declarative

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// probe is a small plugin's schema.
const probe = `{"name":"go-probe","fields":[{"config":{"type":"record","fields":[
	{"mode":{"type":"string"}},{"note":{"type":"string"}},{"list":{"type":"array","elements":{"type":"integer"}}}]}}]}`

func loader(t *testing.T, schemas ...string) *Loader {
	t.Helper()
	l := &Loader{Schemas: map[string]*Schema{}}
	for _, text := range append(schemas, probe, RequestTermination) {
		s, err := ParseSchema([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		l.Schemas[s.Name] = s
	}
	return l
}

func load(t *testing.T, text string) *Config {
	t.Helper()
	c, err := loader(t).Load([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// problems are the lines of the error that a configuration gets.
func problems(t *testing.T, text string) []string {
	t.Helper()
	_, err := loader(t).Load([]byte(text))
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("the error is %v", err)
	}
	return e.Lines()
}

func TestIDsAreThoseOfKong(t *testing.T) {
	c := load(t, `
_format_version: "3.0"
plugins: [{name: go-probe}]
services:
- name: probe
  url: http://127.0.0.1:9999
  routes: [{name: hello, paths: [/hello], plugins: [{name: go-probe, config: {mode: hello}}]}]
`)
	for what, pair := range map[string][2]string{
		"service":       {c.Services[0].ID, "f98a2790-f3e5-5434-8f1a-f0d213d26ecc"},
		"route":         {c.Routes[0].ID, "a8471fc8-50df-5906-8672-446cbaf9c4e9"},
		"route plugin":  {c.Plugins[0].ID, "25a256a0-524e-5433-93a3-a8ac5a01e22d"},
		"global plugin": {c.Plugins[1].ID, "5eac6620-ecf2-5006-bce9-5695b8b5b9a0"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %s, recorded %s", what, pair[0], pair[1])
		}
	}
}

func TestNestedAndTopLevelMeanTheSame(t *testing.T) {
	nested := load(t, `
_format_version: "3.0"
services:
- {name: s, url: "https://up.example/base", routes: [{name: r, paths: [/r], plugins: [{name: go-probe}]}], plugins: [{name: request-termination}]}
`)
	flat := load(t, `
_format_version: "3.0"
services: [{name: s, protocol: https, host: up.example, port: 443, path: /base}]
routes: [{name: r, paths: [/r], service: {name: s}}]
plugins: [{name: go-probe, route: r}, {name: request-termination, service: s}]
`)
	for i := range nested.Plugins {
		if nested.Plugins[i].ID != flat.Plugins[i].ID {
			t.Errorf("%s: %s and %s", nested.Plugins[i].Name, nested.Plugins[i].ID, flat.Plugins[i].ID)
		}
	}
	if flat.Routes[0].Service != flat.Services[0] || nested.Routes[0].Service != nested.Services[0] {
		t.Error("the route has lost its service")
	}
	for _, s := range []*Service{nested.Services[0], flat.Services[0]} {
		delete(s.Fields, "created_at")
		delete(s.Fields, "updated_at")
	}
	if diff := cmp.Diff(nested.Services[0].Fields, flat.Services[0].Fields); diff != "" {
		t.Errorf("nested -, flat +:\n%s", diff)
	}
}

func TestDefaultsAreThoseOfKong(t *testing.T) {
	c := load(t, `{"_format_version": "3.0", "services": [{"name": "s", "host": "h", "routes": [{"paths": ["/"]}]}]}`)
	s, r := c.Services[0], c.Routes[0]
	if s.Protocol != "http" || s.Port != 80 || s.Retries != 5 || s.ConnectTimeout != 60000 || s.ReadTimeout != 60000 || !s.Enabled {
		t.Errorf("%+v", s)
	}
	if !r.StripPath || r.PreserveHost || r.HTTPSRedirectStatusCode != 426 || len(r.Protocols) != 2 {
		t.Errorf("%+v", r)
	}
}

func TestEverythingWrongIsSaidAtOnce(t *testing.T) {
	got := problems(t, `
_format_version: "3.0"
upstreams: []
colour: red
services:
- {name: good, host: h}
- name: "bad name"
  port: 99999
  tls_verify: true
  routes:
  - {name: r, paths: [hello, "~/x"], strip_pth: true, snis: [a]}
  - {name: r2, hosts: ["a.*.b"], methods: [get]}
  - {name: r3}
  plugins:
  - {name: key-auth}
  - {name: nosuch}
  - {name: go-probe, consumer: x, config: {mode: 1, list: [1, x], nosuch: 2}}
`)
	want := []string{
		"colour: unknown field",
		"services[2].host: required field missing",
		"services[2].name: invalid value 'bad name': the only accepted ascii characters are alphanumerics or ., -, _, and ~",
		"services[2].plugins[1].name: plugin 'key-auth' is not part of this stand-in for Kong, which has request-termination only; Kong itself has it",
		"services[2].plugins[2].name: plugin 'nosuch' not enabled; add it to the 'plugins' configuration property",
		"services[2].plugins[3].config.list[2]: expected an integer",
		"services[2].plugins[3].config.mode: expected a string",
		"services[2].plugins[3].config.nosuch: unknown field",
		"services[2].port: value should be between 0 and 65535",
		"services[2].routes[1].paths[1]: should start with: / (fixed path) or ~/ (regex path)",
		"services[2].routes[1].snis: not supported by this stand-in for Kong; Kong itself has it",
		"services[2].routes[1].strip_pth: unknown field",
		"services[2].routes[2].hosts[1]: invalid wildcard: must be placed at leftmost or rightmost label",
		"services[2].routes[2].methods[1]: invalid value: get",
		"services[2].routes[3].@entity[1]: must set one of 'methods', 'hosts', 'headers', 'paths', 'snis' when 'protocols' is 'https'",
		"services[2].tls_verify: not supported by this stand-in for Kong; Kong itself has it",
		"upstreams: not supported by this stand-in for Kong; Kong itself has it",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct{ text, problem string }{
		"no version":                   {"services: []", "_format_version: required field missing"},
		"another version":              {"_format_version: '1.1'", "_format_version: expected one of: 3.0"},
		"nothing at all":               {"", "error: expected a declarative configuration, a record with _format_version"},
		"no record":                    {"[1]", "error: expected a declarative configuration, a record with _format_version"},
		"not YAML":                     {"a: [", "error: failed parsing declarative configuration: yaml: line 1: did not find expected node content"},
		"a key twice":                  {"a: 1\na: 2", `error: failed parsing declarative configuration: line 2: the key "a" stands there twice`},
		"two documents":                {"_format_version: '3.0'\n---\na: 1", "error: failed parsing declarative configuration: there is more than one YAML document"},
		"services that are no list":    {"_format_version: '3.0'\nservices: {a: 1}", "services: expected an array"},
		"a route's service not there":  {"_format_version: '3.0'\nroutes: [{name: r, paths: [/], service: nobody}]", "routes.r[1]: invalid reference 'service: nobody' (no such entry in 'services')"},
		"two services of a name":       {"_format_version: '3.0'\nservices: [{name: s, host: h}, {name: s, host: i}]", "services[2].name: uniqueness violation: 'services' entity with name set to 's' already declared"},
		"a plugin twice in one place":  {"_format_version: '3.0'\nplugins: [{name: go-probe}, {name: go-probe}]", "plugins[2].name: uniqueness violation: plugin 'go-probe' is already applied there"},
		"a message beside a body":      {"_format_version: '3.0'\nplugins: [{name: request-termination, config: {message: m, body: b}}]", "plugins[1].config.@entity[1]: message cannot be used with content_type or body"},
		"a content type of nothing":    {"_format_version: '3.0'\nplugins: [{name: request-termination, config: {content_type: text/plain}}]", "plugins[1].config.@entity[1]: content_type requires a body"},
		"a url without a host":         {"_format_version: '3.0'\nservices: [{name: s, url: 'http:///x'}]", "services[1].url: missing host in url"},
		"a service by an unknown path": {"_format_version: '3.0'\nservices: [{name: s, url: 'ftp://h'}]", "services[1].protocol: expected one of: http, https"},
	} {
		t.Run(name, func(t *testing.T) {
			got := problems(t, c.text)
			if len(got) != 1 || got[0] != c.problem {
				t.Errorf("got %q, want %q", got, c.problem)
			}
		})
	}
}

func TestDocumentsAreBounded(t *testing.T) {
	aliases := "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
	for i := 'b'; i < 'k'; i++ {
		aliases += string(i) + ": &" + string(i) + " [" + strings.TrimSuffix(strings.Repeat("*"+string(i-1)+",", 10), ",") + "]\n"
	}
	for name, text := range map[string]string{
		"aliases of aliases": aliases,
		"depth":              strings.Repeat("[", 2000) + strings.Repeat("]", 2000),
		"size":               strings.Repeat("# comment\n", maxDocument/10+1),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Decode([]byte(text)); err == nil {
				t.Error("it was read")
			}
		})
	}
}

func TestPluginConfigOnTheWire(t *testing.T) {
	l := loader(t, `{"name":"p","fields":[{"config":{"type":"record","fields":[
		{"empty":{"type":"array","elements":{"type":"string"}}},
		{"unset":{"type":"string"}},
		{"none":{"type":"integer","default":7}},
		{"big":{"type":"number","default":1e15}},
		{"in":{"type":"record","fields":[{"n":{"type":"integer","default":3}}]}},
		{"secret":{"type":"string","referenceable":true}},
		{"lost":{"type":"string","referenceable":true}},
		{"member":{"type":"string","referenceable":true}}]}}]}`)
	c, err := l.Load([]byte(`{"_format_version":"3.0","routes":[{"name":"hello","paths":["/"],
		"plugins":[{"name":"p","config":{"none":null,"empty":[],"secret":"{vault://env/kafka-password}","lost":"{vault://env/not-there}","member":"{vault://env/store/user}"}}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"KAFKA_PASSWORD": "s3cret", "STORE": `{"user":"me"}`}
	var unresolved []string
	got := string(c.Plugins[0].PluginConfig(
		func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		func(reference string, _ error) { unresolved = append(unresolved, reference) }))
	want := `{"__key__":"plugins:p:a8471fc8-50df-5906-8672-446cbaf9c4e9::::0dc6f45b-8f8d-40d2-a504-473544ee190b",` +
		`"__plugin_id":"` + c.Plugins[0].ID + `","__seq__":1,"__ws_id":"0dc6f45b-8f8d-40d2-a504-473544ee190b",` +
		`"big":1e+15,"empty":{},"in":{"n":3},"lost":"","member":"me","route_id":"a8471fc8-50df-5906-8672-446cbaf9c4e9","secret":"s3cret"}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(unresolved) != 1 || unresolved[0] != "{vault://env/not-there}" {
		t.Errorf("unresolved: %q", unresolved)
	}
	if c.Plugins[0].Config["secret"] != "{vault://env/kafka-password}" {
		t.Error("the Admin API would show the secret")
	}
}
