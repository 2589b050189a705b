package schema_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestTheCheckerKnowsKongsRules: each is one that Kong's meta-schema has.
func TestTheCheckerKnowsKongsRules(t *testing.T) {
	for _, test := range []struct{ name, field, want string }{
		{"a string", `{"type":"string"}`, ""},
		{"everything a string may have", `{"type":"string","description":"Ten bytes.","required":true,"default":"a","one_of":["a","b"],"match":"^a","starts_with":"a","len_min":1,"len_max":9,"uuid":false,"is_regex":true,"referenceable":true,"encrypted":true,"unique":true}`, ""},
		{"no type", `{}`, "missing type"},
		{"a type that is none", `{"type":"text"}`, "missing type"},
		{"a short description", `{"type":"string","description":"Too short"}`, "description"},
		{"a long description", `{"type":"string","description":"` + strings.Repeat("x", 501) + `"}`, "description"},
		{"an unknown attribute", `{"type":"string","doc":"x"}`, "unknown attribute 'doc'"},
		{"an array without elements", `{"type":"array"}`, "must declare 'elements'"},
		{"a set without elements", `{"type":"set"}`, "must declare 'elements'"},
		{"a map without values", `{"type":"map","keys":{"type":"string"}}`, "must declare 'values'"},
		{"a record without fields", `{"type":"record"}`, "must declare 'fields'"},
		{"a record with no fields", `{"type":"record","fields":[]}`, ""},
		{"json without a schema", `{"type":"json"}`, "must declare 'json_schema'"},
		{"json with one", `{"type":"json","json_schema":{"inline":{"type":"array","items":{"type":"object","required":["a"]}}}}`, ""},
		{"json with draft 7", `{"type":"json","json_schema":{"inline":{"$schema":"http://json-schema.org/draft-07/schema#"}}}`, "unsupported document"},
		{"json with a schema that is none", `{"type":"json","json_schema":{"inline":{"type":"text"}}}`, "json_schema"},
		{"json with draft 6's exclusiveMinimum", `{"type":"json","json_schema":{"inline":{"exclusiveMinimum":3}}}`, "json_schema"},
		{"between on a string", `{"type":"string","between":[1,2]}`, "cannot have attribute 'between'"},
		{"between of one", `{"type":"integer","between":[1]}`, "between"},
		{"between of fractions", `{"type":"number","between":[0.5,1.5]}`, ""},
		{"one_of on an array", `{"type":"array","elements":{"type":"string"},"one_of":["a"]}`, "cannot have attribute 'one_of'"},
		{"one_of on its elements", `{"type":"array","elements":{"type":"string","one_of":["a"]}}`, ""},
		{"match on an integer", `{"type":"integer","match":"a"}`, "cannot have attribute 'match'"},
		{"json_schema on a string", `{"type":"string","json_schema":{"inline":{}}}`, "cannot have attribute 'json_schema'"},
		{"a default of the wrong type", `{"type":"integer","default":"1"}`, "does not fit"},
		{"a default outside one_of", `{"type":"string","one_of":["a"],"default":"b"}`, "does not fit"},
		{"a default outside between", `{"type":"integer","between":[1,2],"default":3}`, "does not fit"},
		{"a fault in a record", `{"type":"record","fields":[{"a":{"type":"string","uuid":"yes"}}]}`, ".config.x.a: bad value"},
		{"an entry of two keys", `{"type":"record","fields":[{"a":{"type":"string"},"b":{"type":"string"}}]}`, "one key"},
		{"elements that are none", `{"type":"array","elements":"string"}`, "must be a table"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var plugin map[string]any
			text := `{"name":"p","fields":[{"config":{"type":"record","fields":[{"x":` + test.field + `}]}}]}`
			if err := json.Unmarshal([]byte(text), &plugin); err != nil {
				t.Fatal(err)
			}
			got := strings.Join(metaSchema(plugin), "\n")
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestTheCheckerTakesWhatKongTook(t *testing.T) {
	for _, name := range []string{"dump-go-accept", "dump-go-hello", "dump-go-probe", "dump-go-schema"} {
		text, err := os.ReadFile("../gateway/testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var dump struct {
			Plugins []struct{ Schema map[string]any }
		}
		if err := json.Unmarshal(text, &dump); err != nil {
			t.Fatal(err)
		}
		if problems := metaSchema(dump.Plugins[0].Schema); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

func TestTheCheckerKnowsKongsEntityChecks(t *testing.T) {
	for _, test := range []struct{ check, want string }{
		{`{"at_least_one_of":["a","b"]}`, ""},
		{`{"only_one_of":["a","r.x"]}`, ""},
		{`{"at_least_one_of":["a","c"]}`, "field not found: c"},
		{`{"only_one_of":["a","r.y"]}`, "field not found: r.y"},
		{`{"at_least_one_of":"a"}`, "takes a list of fields"},
		{`{"exactly_two_of":["a","b"]}`, "unknown entity check exactly_two_of"},
		{`{"distinct":["a","b"],"mutually_required":["a","b"]}`, "exactly one key"},
		{`{"conditional":{"if_field":"a","if_match":{"eq":null},"then_field":"b","then_match":{"required":true,"len_min":2},"then_err":"no"}}`, ""},
		{`{"conditional":{"if_field":"a","if_match":{"type":"string"},"then_field":"b","then_match":{}}}`, "bad if_match"},
		{`{"conditional":{"if_field":"a","if_match":{},"then_field":"c","then_match":{}}}`, "field not found: c"},
		{`{"conditional":{"if":"a"}}`, "bad if"},
		{`{"conditional_at_least_one_of":{"if_field":"a","if_match":{"one_of":["x"]},"then_at_least_one_of":["b","r"]}}`, ""},
	} {
		for _, where := range []string{`{"name":"p","fields":[{"config":%}]}`, `{"name":"p","fields":[{"config":{"type":"record","fields":[{"n":%}]}}]}`} {
			record := `{"type":"record","entity_checks":[` + test.check + `],"fields":[{"a":{"type":"string"}},{"b":{"type":"string"}},{"r":{"type":"record","fields":[{"x":{"type":"string"}}]}}]}`
			var plugin map[string]any
			if err := json.Unmarshal([]byte(strings.ReplaceAll(where, "%", record)), &plugin); err != nil {
				t.Fatal(err)
			}
			got := strings.Join(metaSchema(plugin), "\n")
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("%s: got %q, want %q", test.check, got, test.want)
			}
		}
	}
}
