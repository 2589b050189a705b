package router

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/kong/keg/router/strict"
)

// compiled is the schema as another program would read it.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	return compile(t, JSONSchema(known))
}

func compile(t *testing.T, schema map[string]any) *jsonschema.Schema {
	t.Helper()
	text, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	if err := c.AddResource("routes.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("routes.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return s.Validate(value)
}

const httpTo = `"destinations":[{"type":"http","address":"http://a"}]`

func withMatch(match string) string { return `[{"name":"a","match":` + match + `,` + httpTo + `}]` }
func withDestination(d string) string {
	return `[{"name":"a","match":{},"destinations":[` + d + `]}]`
}

func withTransform(transform string) string {
	return `[{"name":"a","match":{},"transform":` + transform + `,` + httpTo + `}]`
}
func withSchema(schema string) string {
	return `[{"name":"a","match":{},"schema":` + schema + `,` + httpTo + `}]`
}

// goodRoutes must pass both the schema and Parse.
var goodRoutes = []string{
	`[]`,
	withMatch(`{}`),
	withMatch(`{"event_type":"a","event_source":["b",{"prefix":"c"}],"event_id":{"anything_but":"x"},"subject":null}`),
	withMatch(`{"type":"a","source":"b","id":"c","specversion":"1.0","datacontenttype":"x","dataschema":"y"}`),
	withMatch(`{"tenant":"a","a":1,"al":1,"alle":1,"any1":1,"an":1,"no":1,"nott":1,"whe":1,"whenever":true,"dat":1,"data1":1,"header":1,"headersx":1,"timer":1,"0":1}`),
	withMatch(`{"headers.X-Tenant":"a","headers.x_y.z!":"b","data.a.0.b":1.5,"data.x-y z":true,"data.n":null}`),
	withMatch(`{"time":"2026-01-01T00:00:00Z"}`),
	withMatch(`{"time":{"gt":"2026-01-01T00:00:00Z","lte":"${T}"}}`),
	withMatch(`{"time":[{"prefix":"2026"},{"exists":false}]}`),
	withMatch(`{"x":{"gt":1,"gte":-1.5e3,"lt":"${N}","lte":2}}`),
	withMatch(`{"x":{"prefix":"a","suffix":{"file":"/f"},"wildcard":"*","regex":"a","equals_ignore_case":"b","cidr":"10.0.0.0/8"}}`),
	withMatch(`{"x":{"anything_but":["a",{"anything_but":{"prefix":"b"}}]},"y":{"exists":true},"z":{"exists":"${B}"}}`),
	withMatch(`{"x":{"file":"/f"},"y":["${V}",["nested"]]}`),
	withMatch(`{"all":[{},{"any":[{"not":{"type":"x"}}]}],"any":[{"type":"x"}],"not":{},"when":"type == id"}`),
	`[{"name":"a","description":"x","enabled":false,"match":{},"final":true,"retry":{"max_attempts":3,"backoff":"1s","max_backoff":"1m30s","max_age":"1h"},"dead_letter":{"type":"http","address":"b"},` + httpTo + `}]`,
	`[{"name":"a","description":null,"enabled":null,"match":{},"final":null,"retry":null,"dead_letter":null,` + httpTo + `}]`,
	`[{"name":"${V}","enabled":"${B}","match":{},"final":"${B}",` + httpTo + `}]`,
	`[{"name":"a","match":{},"ordered":true,"transform":null,"schema":null,` + httpTo + `}]`,
	withTransform(`{"data":"data.order","set":{"type":"x.v2","event_id":{"cel":"id + '-2'"},"subject":{"file":"/f"},"tenant":"${V}","time":{"cel":"time"}},"remove":["dataschema","traceparent"],"headers":{"X-Tenant":{"cel":"extensions.tenant"},"x'y%z":"b"}}`),
	withTransform(`{"data":{"file":"/cel"}}`),
	withTransform(`{"set":{"dat":"x","data1":"x","specversio":"x","specversion2":"x"},"remove":["${V}","idx","types"],"headers":{}}`),
	withDestination(`{"type":"http","address":"a","transform":{"data":"data"}}`),
	withSchema(`{"file":"/schema.json"}`),
	withSchema(`{"file":"/schema.json","on_violation":"pass"}`),
	withSchema(`{"inline":{"required":["a"]},"on_violation":"dead_letter"}`),
	withSchema(`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","required":["a"],"properties":{"a":{"type":"number","x-note":1}},"x-owner":"shop","on_violation":"reject"}`),
	withDestination(`{"type":"kafka","address":"a:1,b:2","topic":"t"}`),
	withDestination(`{"type":"kafka","address":["a:1","b:2"],"topic":"t","acks":"none","max_message_bytes":1e6,"password":"x","tls":{"ca":"x","insecure_skip_verify":false}}`),
	withDestination(`{"type":"kafka","address":{"file":"/a"},"topic":{"file":"/f"},"acks":"${A}","max_message_bytes":"${N}","password":{"file":"/f"},"tls":null}`),
	withDestination(`{"type":"${K}","address":"a:1","topic":"t"}`),
	withDestination(`{"type":"http","address":"a","name":"x","timeout":"1.5s","format":"raw","headers":{"a":"b","c":{"file":"/f"}},"query":{"a":"b"},"rate":0.5,"allow_private":false}`),
	withDestination(`{"type":"http","address":"a","name":null,"timeout":null,"format":null,"headers":null,"query":null,"rate":null}`),
	withDestination(`{"type":"http","address":"a","retry":{"max_attempts":3.0}}`),
}

// badRoutes must pass neither; reason is part of what the schema says.
var badRoutes = []struct{ text, reason string }{
	{`{"a":1}`, "got object, want array"},
	{`["x"]`, "got string, want object"},
	{`[{"match":{},` + httpTo + `}]`, "missing property 'name'"},
	{`[{"name":"a",` + httpTo + `}]`, "missing property 'match'"},
	{`[{"name":"a","match":{}}]`, "missing property 'destinations'"},
	{`[{"name":"","match":{},` + httpTo + `}]`, "minLength"},
	{`[{"name":5,"match":{},` + httpTo + `}]`, "got number, want string or object"},
	{`[{"name":"a","match":null,` + httpTo + `}]`, "got null, want object"},
	{`[{"name":"a","match":{},"ordered":"yes",` + httpTo + `}]`, "does not match pattern"},
	{withTransform(`{}`), "minProperties"},
	{withTransform(`{"dat":"type"}`), "'dat' not allowed"},
	{withTransform(`{"data":{"cel":"type"}}`), "'cel' not allowed"},
	{withTransform(`{"data":""}`), "minLength"},
	{withTransform(`{"set":{"Type":"x"}}`), "'Type' not allowed"},
	{withTransform(`{"set":{"specversion":"1.0"}}`), "'specversion' not allowed"},
	{withTransform(`{"set":{"data":"x"}}`), "'data' not allowed"},
	{withTransform(`{"set":{"type":{"cell":"x"}}}`), "'cell' not allowed"},
	{withTransform(`{"set":{"type":{"cel":"type","file":"/f"}}}`), "'not' failed"},
	{withTransform(`{"set":{"type":5}}`), "got number, want string or object"},
	{withTransform(`{"set":{"type":null}}`), "got null, want string or object"},
	{withTransform(`{"set":["type"]}`), "got array, want object"},
	{withTransform(`{"remove":["id"]}`), "does not match pattern"},
	{withTransform(`{"remove":["sub ject"]}`), "does not match pattern"},
	{withTransform(`{"remove":"subject"}`), "got string, want array"},
	{withTransform(`{"headers":{"x-a":["b"]}}`), "got array, want string or object"},
	{withSchema(`{}`), "minProperties"},
	{withSchema(`"x.json"`), "got string, want object"},
	{withSchema(`{"fil":"x.json"}`), "'fil' not allowed"},
	{withSchema(`{"requred":["a"]}`), "'requred' not allowed"},
	{withSchema(`{"file":"x.json","type":"object"}`), "'type' not allowed"},
	{withSchema(`{"inline":["x"]}`), "got array, want null or object"},
	{withSchema(`{"type":"object","on_violation":"drop"}`), "does not match pattern"},
	{`[{"name":"a","match":{},"finall":true,` + httpTo + `}]`, "'finall' not allowed"},
	{`[{"name":"a","match":{},"final":"yes",` + httpTo + `}]`, "does not match pattern"},
	{`[{"name":"a","match":{},"retry":{"max_attempts":0},` + httpTo + `}]`, "minimum: got 0, want 1"},
	{`[{"name":"a","match":{},"retry":{"backof":"1s"},` + httpTo + `}]`, "'backof' not allowed"},
	{`[{"name":"a","match":{},"dead_letter":{"type":"http"},` + httpTo + `}]`, "missing property 'address'"},
	{withMatch(`{"event_typ":"x"}`), "'event_typ' not allowed"},
	{withMatch(`{"Type":"x"}`), "'Type' not allowed"},
	{withMatch(`{"data":"x"}`), "'data' not allowed"},
	{withMatch(`{"headers":{"a":"b"}}`), "'headers' not allowed"},
	{withMatch(`{"header.x":"x"}`), "'header.x' not allowed"},
	{withMatch(`{"type":{"prefx":"x"}}`), "'prefx' not allowed"},
	{withMatch(`{"type":{"prefix":["x"]}}`), "got array, want string or object"},
	{withMatch(`{"type":{"prefix":""}}`), "minLength"},
	{withMatch(`{"type":{}}`), "minProperties"},
	{withMatch(`{"type":[]}`), "minItems"},
	{withMatch(`{"x":{"gt":"5"}}`), "does not match pattern"},
	{withMatch(`{"x":{"exists":1}}`), "got number, want boolean or string"},
	{withMatch(`{"x":{"anything_but":{"prefx":"x"}}}`), "'prefx' not allowed"},
	{withMatch(`{"time":5}`), "got number, want string"},
	{withMatch(`{"time":{"gt":5}}`), "got number, want string or object"},
	{withMatch(`{"all":[]}`), "minItems"},
	{withMatch(`{"any":{"type":"x"}}`), "got object, want array"},
	{withMatch(`{"any":[{"any":[{"typ_":"x"}]}]}`), "'typ_' not allowed"},
	{withMatch(`{"not":[{}]}`), "got array, want object"},
	{withMatch(`{"when":5}`), "got number, want string or object"},
	{withMatch(`{"when":""}`), "minLength"},
	{`[{"name":"a","match":{},"destinations":[]}]`, "minItems"},
	{withDestination(`{"address":"x"}`), "missing property 'type'"},
	{withDestination(`{"type":"kakfa","address":"x"}`), "'kakfa' does not match pattern '^(kafka|http)$"},
	{withDestination(`{"type":"kafka","address":"a:1"}`), "missing property 'topic'"},
	{withDestination(`{"type":"kafka","address":"a:1","topic":"t","methd":"x"}`), "'methd' not allowed"},
	{withDestination(`{"type":"kafka","address":"a:1","topic":"t","method":"x"}`), "'method' not allowed"},
	{withDestination(`{"type":"kafka","address":"a:1","topic":"t","acks":"most"}`), "'most' does not match pattern '^(all|leader|none)$"},
	{withDestination(`{"type":"kafka","address":"a:1","topic":"t","max_message_bytes":0.5}`), "got number, want null or integer"},
	{withDestination(`{"type":"kafka","address":"a:1","topic":"t","tls":{"caa":"x"}}`), "'caa' not allowed"},
	{withDestination(`{"type":"kafka","address":"a:1","topic":{"path":"x"}}`), "'path' not allowed"},
	{withDestination(`{"type":"kafka","address":[],"topic":"x"}`), "minItems"},
	{withDestination(`{"type":"http","address":"a","timeout":10}`), "got number, want null or string"},
	{withDestination(`{"type":"http","address":"a","timeout":"10"}`), "does not match pattern"},
	{withDestination(`{"type":"http","address":"a","format":"binary"}`), "'binary' does not match pattern '^(structured|raw)$"},
	{withDestination(`{"type":"http","address":"a","headers":{"a":1}}`), "got number, want string or object"},
	{withDestination(`{"type":"http","address":"a","transform":{}}`), "minProperties"},
	{withDestination(`{"type":"http","address":"a","rate":0.1}`), "minimum"},
}

func schemaOptions() Options {
	env := map[string]string{"T": "2026-01-01T00:00:00Z", "N": "5", "B": "true", "V": "v", "A": "all", "K": "kafka"}
	return Options{
		Types:     known,
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		ReadFile: func(path string) ([]byte, error) {
			text, ok := map[string]string{"/cel": "data.order", "/schema.json": `{"type":"object"}`}[path]
			if !ok {
				text = "a:1"
			}
			return []byte(text), nil
		},
	}
}

func TestSchemaAndParseTakeTheSame(t *testing.T) {
	s := compiled(t)
	for _, text := range goodRoutes {
		if _, err := ParseRoutes("good", []byte(text), schemaOptions()); err != nil {
			t.Errorf("Parse refuses %s:\n%v", text, err)
		}
		if err := validate(t, s, text); err != nil {
			t.Errorf("the schema refuses %s:\n%v", text, err)
		}
	}
}

func TestSchemaAndParseRefuseTheSame(t *testing.T) {
	s := compiled(t)
	for _, c := range badRoutes {
		if _, err := ParseRoutes("bad", []byte(c.text), schemaOptions()); err == nil {
			t.Errorf("Parse takes %s", c.text)
		}
		err := validate(t, s, c.text)
		if err == nil {
			t.Errorf("the schema takes %s", c.text)
		} else if !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: the schema says\n%v\nwithout %q", c.text, err, c.reason)
		}
	}
}

// Of a schema that is one of several, Kong says no more than that none fits. So
// what can be known before, is asked before.
func TestWhatIsWrongWithADestinationIsNotLostAmongAlternatives(t *testing.T) {
	schema := JSONSchema(known)
	delete(schema["definitions"].(strict.Schema)["destination"].(strict.Schema), "allOf")
	s := compile(t, schema)
	for _, text := range goodRoutes {
		if err := validate(t, s, text); err != nil {
			t.Errorf("%s:\n%v", text, err)
		}
	}
	for destination, reason := range map[string]string{
		`{"type":"kafka","address":"a:1","topik":"t"}`:                      "topik",
		`{"type":"kafka","topic":"t"}`:                                      "address",
		`{"type":"kafka","address":"a:1","topic":"t","acks":"some"}`:        "acks",
		`{"type":"http","address":"a","retry":{"max_attempts":0}}`:          "max_attempts",
		`{"type":"http","address":"a","timeout":5}`:                         "timeout",
		`{"type":"kafka","address":"a:1","topic":"t","tls":{"insecure":1}}`: "insecure",
	} {
		if err := validate(t, s, withDestination(destination)); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v", destination, err)
		}
	}
}

func TestTheSchemaOfNoTypesIsOne(t *testing.T) {
	if err := validate(t, compile(t, JSONSchema(nil)), `[]`); err != nil {
		t.Error(err)
	}
}

// TestTheSchemaTakesWhatParseTakes draws random tables.
func TestTheSchemaTakesRandomTables(t *testing.T) {
	s := compiled(t)
	g := newGen()
	for range 500 {
		text := g.routes(t)
		if err := validate(t, s, string(text)); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
}

func TestAttributePattern(t *testing.T) {
	reserved := []string{"all", "any", "not", "when", "a"}
	p := regexp.MustCompile(except(reserved))
	letters := "alnyotwhe0"
	var try func(word string)
	try = func(word string) {
		want := word != ""
		for _, r := range reserved {
			want = want && word != r
		}
		if p.MatchString(word) != want {
			t.Fatalf("%q: %v", word, !want)
		}
		if len(word) < 5 {
			for _, c := range letters {
				try(word + string(c))
			}
		}
	}
	try("")
	for _, word := range []string{"event_type", "A", "all.x", "x-y", "when ", "whenever"} {
		if p.MatchString(word) != (word == "whenever") {
			t.Errorf("%q", word)
		}
	}
}
