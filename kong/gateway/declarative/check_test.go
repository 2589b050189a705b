package declarative

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// schemaOf is a plugin schema whose config has one field f.
func schemaOf(t *testing.T, field string) *Schema {
	t.Helper()
	s, err := ParseSchema([]byte(`{"name":"p","fields":[{"config":{"type":"record","fields":[{"f":` + field + `}]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFieldRules(t *testing.T) {
	const record = `{"type":"record","fields":[{"a":{"type":"string","required":true}},{"b":{"type":"string"}}]`
	for _, c := range []struct{ name, field, value, problem string }{
		{"a string", `{"type":"string"}`, `"x"`, ``},
		{"no string", `{"type":"string"}`, `1`, `f: expected a string`},
		{"an empty string", `{"type":"string"}`, `""`, `f: length must be at least 1`},
		{"an empty string that is allowed", `{"type":"string","len_min":0}`, `""`, ``},
		{"a string too long", `{"type":"string","len_max":2}`, `"abc"`, `f: length must be at most 2`},
		{"a string of the wrong length", `{"type":"string","len_eq":2}`, `"abc"`, `f: length must be 2`},
		{"null", `{"type":"string"}`, `null`, ``},
		{"null that is required", `{"type":"string","required":true}`, `null`, `f: required field missing`},
		{"null with a default", `{"type":"string","required":true,"default":"d"}`, `null`, `f: required field missing`},
		{"null with a default that is not required", `{"type":"string","default":"d"}`, `null`, ``},
		{"a number", `{"type":"number"}`, `1.5`, ``},
		{"no number", `{"type":"number"}`, `"1"`, `f: expected a number`},
		{"an integer with a point", `{"type":"integer"}`, `3.0`, ``},
		{"a fraction", `{"type":"integer"}`, `1.5`, `f: expected an integer`},
		{"between", `{"type":"integer","between":[1,5]}`, `6`, `f: value should be between 1 and 5`},
		{"gt", `{"type":"number","gt":0}`, `0`, `f: value must be greater than 0`},
		{"a boolean", `{"type":"boolean"}`, `"yes"`, `f: expected a boolean`},
		{"one_of", `{"type":"string","one_of":["a","b"]}`, `"c"`, `f: expected one of: a, b`},
		{"eq", `{"type":"boolean","eq":true}`, `false`, `f: value must be true`},
		{"ne", `{"type":"string","ne":"x"}`, `"x"`, `f: value must not be x`},
		{"not_one_of", `{"type":"string","not_one_of":["x"]}`, `"x"`, `f: must not be one of: x`},
		{"match, a Lua pattern", `{"type":"string","match":"^%a+%-%d+$"}`, `"abc-12"`, ``},
		{"match that does not", `{"type":"string","match":"^%a+%-%d+$"}`, `"abc"`, `f: invalid value: abc`},
		{"not_match", `{"type":"string","not_match":"%s"}`, `"a b"`, `f: invalid value: a b`},
		{"match_any", `{"type":"string","match_any":{"patterns":["^a","^b"],"err":"a or b"}}`, `"c"`, `f: a or b`},
		{"match_all", `{"type":"string","match_all":[{"pattern":"a","err":"an a"},{"pattern":"b","err":"a b"}]}`, `"a"`, `f: a b`},
		{"match_none", `{"type":"string","match_none":[{"pattern":"a","err":"no a"}]}`, `"a"`, `f: no a`},
		{"starts_with", `{"type":"string","starts_with":"/"}`, `"x"`, `f: should start with: /`},
		{"uuid", `{"type":"string","uuid":true}`, `"x"`, `f: expected a valid UUID`},
		{"is_regex", `{"type":"string","is_regex":true}`, `"("`, `f: not a valid regex: (`},
		{"timestamp", `{"type":"number","timestamp":true}`, `0`, `f: expected a valid timestamp`},
		{"an array", `{"type":"array","elements":{"type":"string"}}`, `["a"]`, ``},
		{"an array from Lua, empty", `{"type":"array","elements":{"type":"string"}}`, `{}`, ``},
		{"no array", `{"type":"array","elements":{"type":"string"}}`, `"a"`, `f: expected an array`},
		{"an array's element", `{"type":"array","elements":{"type":"string"}}`, `["a",2]`, `f[2]: expected a string`},
		{"null in an array", `{"type":"array","elements":{"type":"string"}}`, `[null]`, `f[1]: required field missing`},
		{"contains", `{"type":"array","contains":"x","elements":{"type":"string"}}`, `["a"]`, `f: expected to contain: x`},
		{"an array too short", `{"type":"array","len_min":1,"elements":{"type":"string"}}`, `[]`, `f: length must be at least 1`},
		{"no set", `{"type":"set","elements":{"type":"string"}}`, `1`, `f: expected a set`},
		{"a map", `{"type":"map","keys":{"type":"string"},"values":{"type":"integer"}}`, `{"a":1}`, ``},
		{"a map's value", `{"type":"map","keys":{"type":"string"},"values":{"type":"integer"}}`, `{"a":"x"}`, `f.a: expected an integer`},
		{"a map's key", `{"type":"map","keys":{"type":"string","len_max":1},"values":{"type":"integer"}}`, `{"ab":1}`, `f.ab: length must be at most 1`},
		{"no map", `{"type":"map","keys":{"type":"string"},"values":{"type":"integer"}}`, `[1]`, `f: expected a map`},
		{"a record", record + `}`, `{"a":"x"}`, ``},
		{"a record that is null", record + `}`, `null`, `f: required field missing`},
		{"a record that is null and may be", record + `,"required":false}`, `null`, ``},
		{"a record's field that is missing", record + `}`, `{"b":"x"}`, `f.a: required field missing`},
		{"a record's unknown field", record + `}`, `{"a":"x","c":1}`, `f.c: unknown field`},
		{"no record", record + `}`, `"x"`, `f: expected a record`},
		{"a reference where one may stand", `{"type":"string","referenceable":true,"len_max":3}`, `"{vault://env/name}"`, ``},
		{"a reference where none may stand", `{"type":"string","len_max":3}`, `"{vault://env/name}"`, `f: length must be at most 3`},
	} {
		t.Run(c.name, func(t *testing.T) { checkOne(t, schemaOf(t, c.field), c.value, c.problem) })
	}
}

func checkOne(t *testing.T, s *Schema, value, problem string) {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(value), &v); err != nil {
		t.Fatal(err)
	}
	found, _ := s.Config.check(map[string]any{"f": v}).(map[string]any)
	if got := strings.Join((&Error{Fields: found}).Lines(), "; "); got != problem {
		t.Errorf("%s: %q, want %q", value, got, problem)
	}
}

// TestRecordsThatAreNotWritten: Kong fills in what is not said to be optional, and
// then asks it for what it requires.
func TestRecordsThatAreNotWritten(t *testing.T) {
	const within = `"fields":[{"a":{"type":"string","required":true}},{"b":{"type":"string","default":"x"}}]`
	for field, want := range map[string]string{
		`{"type":"record",` + within + `}`:                                                      `f.a: required field missing`,
		`{"type":"record","required":true,` + within + `}`:                                      `f.a: required field missing`,
		`{"type":"record","required":false,` + within + `}`:                                     ``,
		`{"type":"record","fields":[{"in":{"type":"record",` + within + `}}]}`:                  `f.in.a: required field missing`,
		`{"type":"record","fields":[{"in":{"type":"record","required":false,` + within + `}}]}`: ``,
	} {
		s := schemaOf(t, field)
		found, _ := s.Config.check(map[string]any{}).(map[string]any)
		if got := strings.Join((&Error{Fields: found}).Lines(), "; "); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
	filled := schemaOf(t, `{"type":"record","fields":[{"b":{"type":"string","default":"x"}},{"none":{"type":"record","required":false,"fields":[]}}]}`).Config.fill(map[string]any{})
	if diff := cmp.Diff(map[string]any{"f": map[string]any{"b": "x", "none": nil}}, filled); diff != "" {
		t.Errorf("want -, filled +:\n%s", diff)
	}
}

func TestEntityChecks(t *testing.T) {
	const fields = `{"type":"record","fields":[{"a":{"type":"string"}},{"b":{"type":"string"}},{"c":{"type":"string"}}],"entity_checks":[`
	for _, c := range []struct{ check, value, problem string }{
		{`{"at_least_one_of":["a","b"]}`, `{"c":"x"}`, `f.@entity[1]: at least one of these fields must be non-empty: 'a', 'b'`},
		{`{"at_least_one_of":["a","b"]}`, `{"b":"x"}`, ``},
		{`{"only_one_of":["a","b"]}`, `{"a":"x","b":"x"}`, `f.@entity[1]: exactly one of these fields must be non-empty: 'a', 'b'`},
		{`{"mutually_required":["a","b"]}`, `{"a":"x"}`, `f.@entity[1]: all or none of these fields must be set: 'a', 'b'`},
		{`{"mutually_exclusive":["a","b"]}`, `{"a":"x","b":"y"}`, `f.@entity[1]: only one or none of these fields must be set: 'a', 'b'`},
		{`{"distinct":["a","b"]}`, `{"a":"x","b":"x"}`, `f.@entity[1]: values of these fields must be distinct: 'a', 'b'`},
		{`{"conditional":{"if_field":"a","if_match":{"eq":"x"},"then_field":"b","then_match":{"required":true}}}`, `{"a":"x"}`,
			`f.@entity[1]: failed conditional validation given value of field 'a'; f.b: required field missing`},
		{`{"conditional":{"if_field":"a","if_match":{"eq":"x"},"then_field":"b","then_match":{"required":true}}}`, `{"a":"y"}`, ``},
		{`{"conditional":{"if_field":"a","if_match":{"one_of":["x"],"required":true},"then_field":"b","then_match":{"required":true}}}`, `{"c":"z"}`, ``},
		{`{"conditional":{"if_field":"a","if_match":{"one_of":["x"]},"then_field":"b","then_match":{"required":true}}}`, `{"c":"z"}`,
			`f.@entity[1]: failed conditional validation given value of field 'a'; f.b: required field missing`},
		{`{"conditional":{"if_field":"a","if_match":{"eq":null},"then_field":"b","then_match":{"required":true}}}`, `{"a":"x"}`, ``},
		{`{"conditional_at_least_one_of":{"if_field":"a","if_match":{"eq":"x"},"then_at_least_one_of":["b","c"]}}`, `{"a":"x"}`,
			`f.@entity[1]: at least one of these fields must be non-empty: 'b', 'c'`},
	} {
		t.Run(c.check+c.value, func(t *testing.T) { checkOne(t, schemaOf(t, fields+c.check+`]}`), c.value, c.problem) })
	}
}

func TestFieldsThatNobodyMaySet(t *testing.T) {
	for _, c := range []struct{ field, value, problem string }{
		{`{"type":"string","uuid":true,"eq":null,"err":"use something else"}`, `"7"`, `f: use something else`},
		{`{"type":"string","eq":null}`, `"7"`, `f: value must be null`},
		{`{"type":"string","eq":null}`, `null`, ``},
		{`{"type":"record","fields":[],"eq":null,"err":"no registry"}`, `{"url":"http://r"}`, `f: no registry`},
		{`{"type":"array","elements":{"type":"string"},"len_max":0,"err":"no Lua"}`, `["return 1"]`, `f: no Lua`},
		{`{"type":"array","elements":{"type":"string"},"len_max":0,"err":"no Lua"}`, `[]`, ``},
		{`{"type":"boolean","ne":true,"err":"cannot be true"}`, `true`, `f: cannot be true`},
		{`{"type":"boolean","ne":true,"err":"cannot be true"}`, `null`, ``},
		{`{"type":"string","ne":null}`, `null`, `f: value must not be null`},
		{`{"type":"string","eq":"x"}`, `null`, `f: value must be x`},
	} {
		t.Run(c.field+c.value, func(t *testing.T) { checkOne(t, schemaOf(t, c.field), c.value, c.problem) })
	}
}

func TestJSONFieldsAreWordedAsKongDoes(t *testing.T) {
	const field = `{"type":"json","json_schema":{"inline":{"type":"array","items":{"type":"object","required":["name"],"additionalProperties":false,
		"properties":{"name":{"type":"string","minLength":2},"kind":{"enum":["a","b"]},"destinations":{"type":"array","minItems":1,"items":{"type":"object",
		"required":["type"],"properties":{"type":{"type":"string"}}}}}}}}}`
	s := schemaOf(t, field)
	for value, problem := range map[string]string{
		`[{"name":"ab","destinations":[{"type":"kafka"}]}]`: ``,
		`[{"name":"ab","destinations":[{"type":1}]}]`:       `f: failed to validate item 1: property destinations validation failed: failed to validate item 1: property type validation failed: wrong type: expected string, got number`,
		`[{"name":"ab"},{"name":"cd","destinations":[]}]`:   `f: failed to validate item 2: property destinations validation failed: expect array to have at least 1 items`,
		`[{}]`:                       `f: failed to validate item 1: property name is required`,
		`[{"name":"ab","nme":1}]`:    `f: failed to validate item 1: additional properties forbidden, found nme`,
		`[{"name":"a"}]`:             `f: failed to validate item 1: property name validation failed: string too short, expected at least 2, got 1`,
		`[{"name":"ab","kind":"c"}]`: `f: failed to validate item 1: property kind validation failed: matches non of the enum values`,
		`"x"`:                        `f: wrong type: expected array, got string`,
	} {
		t.Run(value, func(t *testing.T) { checkOne(t, s, value, problem) })
	}
}

func TestChoicesInJSONFields(t *testing.T) {
	s := schemaOf(t, `{"type":"json","json_schema":{"inline":{"properties":{
		"any":{"anyOf":[{"type":"string"},{"type":"boolean"}]},
		"one":{"oneOf":[{"minimum":1},{"minimum":5},{"type":"string"}]},
		"no":{"not":{"type":"string"}}}}}}`)
	for value, problem := range map[string]string{
		`{"any":"x","one":2,"no":1}`: ``,
		`{"any":1}`:                  `f: property any validation failed: object matches none of the alternatives`,
		`{"one":0}`:                  `f: property one validation failed: value should match only one schema, but matches none`,
		`{"one":7}`:                  `f: property one validation failed: value should match only one schema, but matches both schemas 1 and 2`,
		`{"no":"x"}`:                 `f: property no validation failed: value wasn't supposed to match schema`,
	} {
		t.Run(value, func(t *testing.T) { checkOne(t, s, value, problem) })
	}
}

func TestSchemasThatKongWouldRefuse(t *testing.T) {
	for name, c := range map[string]struct{ schema, problem string }{
		"not JSON":             {`{`, "none of Kong's"},
		"no config":            {`{"name":"p","fields":[]}`, `no field "config"`},
		"config is no record":  {`{"name":"p","fields":[{"config":{"type":"string"}}]}`, "must be a record"},
		"an unknown attribute": {`{"name":"p","fields":[{"config":{"type":"record","fields":[{"a":{"type":"string","colour":"red"}}]}}]}`, `unknown field "colour"`},
		"an unknown type":      {`{"name":"p","fields":[{"config":{"type":"record","fields":[{"a":{"type":"text"}}]}}]}`, `config.a: "text" is no type`},
		"two names in a field": {`{"name":"p","fields":[{"config":{"type":"record","fields":[{"a":{"type":"string"},"b":{"type":"string"}}]}}]}`, "an object of one member"},
		"array of nothing":     {`{"name":"p","fields":[{"config":{"type":"record","fields":[{"a":{"type":"array"}}]}}]}`, "config.a: a array needs elements"},
		"map of nothing":       {`{"name":"p","fields":[{"config":{"type":"record","fields":[{"a":{"type":"map"}}]}}]}`, "config.a: a map needs keys"},
		"a short description":  {`{"name":"p","fields":[{"config":{"type":"record","fields":[{"a":{"type":"string","description":"short"}}]}}]}`, "10 to 500 characters"},
		"a bad default":        {`{"name":"p","fields":[{"config":{"type":"record","fields":[{"a":{"type":"integer","default":"x"}}]}}]}`, "its default is refused"},
		"a bad pattern":        {`{"name":"p","fields":[{"config":{"type":"record","fields":[{"a":{"type":"string","match":"%bxy"}}]}}]}`, "cannot be used here"},
		"json without schema":  {`{"name":"p","fields":[{"config":{"type":"record","fields":[{"a":{"type":"json"}}]}}]}`, "needs a json_schema"},
		"a bad JSON Schema":    {`{"name":"p","fields":[{"config":{"type":"record","fields":[{"a":{"type":"json","json_schema":{"inline":{"type":1}}}}]}}]}`, "not valid draft 4"},
		"a JSON Schema that loads": {`{"name":"p","fields":[{"config":{"type":"record","fields":[{"a":{"type":"json","json_schema":{"inline":{"$ref":"http://example.com/x"}}}}]}}]}`,
			"not valid draft 4"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseSchema([]byte(c.schema))
			if err == nil || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("the error is %v, want %q in it", err, c.problem)
			}
		})
	}
}
