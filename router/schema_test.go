package router

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

func withSchemaOf(schema string) string {
	return "routes:\n- name: a\n  match: {}\n  schema: " + schema + "\n  destinations: [{type: http, address: 'http://a'}]"
}

func schemaOf(t testing.TB, schema string) *Schema {
	t.Helper()
	return mustParse(t, withSchemaOf(schema)).Routes()[0].Schema
}

func TestSchemaNamesTheValueAtFault(t *testing.T) {
	for _, c := range []struct{ schema, data, pointer, problem string }{
		{`{type: object}`, `{}`, "", ""},
		{`{type: object}`, `[]`, "", "must be of type object, not array"},
		{`{required: [a, b]}`, `{"a":1}`, "", `needs "b"`},
		{`{properties: {a: {properties: {b: {type: [integer, "null"]}}}}}`, `{"a":{"b":"x"}}`, "/a/b", "must be of type null or integer, not string"},
		{`{properties: {a: {type: integer}}}`, `{"a":1.0}`, "", ""},
		{`{properties: {a: {minimum: 1, maximum: 10}}}`, `{"a":0.5}`, "/a", "must be at least 1"},
		{`{properties: {a: {exclusiveMaximum: 1.5}}}`, `{"a":1.5}`, "/a", "must be less than 1.5"},
		{`{properties: {a: {multipleOf: 0.1}}}`, `{"a":0.25}`, "/a", "must be a multiple of 0.1"},
		{`{items: {enum: [a, b, 3]}}`, `["a", 3, "c"]`, "/2", `must be one of "a", "b", 3`},
		{`{items: {const: {x: 1}}}`, `[{"x":1.0}, {}]`, "/1", `must be {"x":1}`},
		{`{properties: {a: {}}, additionalProperties: false}`, `{"z":1,"y":2}`, "", `must not have "y", "z"`},
		{`{properties: {"a/b~c": {type: string}}}`, `{"a/b~c":1}`, "/a~1b~0c", "must be of type string, not number"},
		{`{items: {format: date-time}}`, `["2026-01-01T00:00:00Z", "yesterday"]`, "/1", "must be of the format date-time"},
		{`{items: {pattern: "^a+$"}}`, `["aa", "s3cr3t"]`, "/1", "must match the pattern ^a+$"},
		{`{items: {minLength: 2}}`, `["é"]`, "/0", "must have at least 2 characters, not 1"},
		{`{uniqueItems: true}`, `[1, 2, 1.0]`, "", "must not have equal items: 0 and 2 are"},
		{`{maxItems: 1}`, `[1, 2]`, "", "must have at most 1 items, not 2"},
		{`{minProperties: 1}`, `{}`, "", "must have at least 1 members, not 0"},
		{`{propertyNames: {pattern: "^[a-z]+$"}}`, `{"A\n":1}`, "", `must match the pattern ^[a-z]+$`},
		{`{dependentRequired: {a: [b]}}`, `{"a":1}`, "", `needs "b" where it has "a"`},
		{`{not: {required: [a]}}`, `{"a":1}`, "", "must not fit the schema of `not`"},
		{`{oneOf: [{type: number}, {minimum: 1}]}`, `5`, "", "must fit one schema of `oneOf`, and fits several"},
		{`{anyOf: [{required: [a]}, {properties: {b: {type: string}}, required: [b]}]}`, `{"b":1}`, "/b", "must be of type string, not number"},
		{`{properties: {a: false}}`, `{"a":1}`, "/a", "must not be there"},
		{`{contains: {const: 1}}`, `[2]`, "/0", "must be 1"},
		{`{$ref: "#/$defs/x", $defs: {x: {items: {$ref: "#/$defs/y"}}, y: {type: string}}}`, `[1]`, "/0", "must be of type string, not number"},
		{`{$id: "https://example.com/a.json", $ref: "https://example.com/a.json#/$defs/x", $defs: {x: {type: string}}}`, `1`, "", "must be of type string, not number"},
		{`{$schema: "http://json-schema.org/draft-04/schema#", properties: {a: {minimum: 5, exclusiveMinimum: true}}}`, `{"a":5}`, "/a", "must be more than 5"},
		{`{inline: {type: string}}`, `1`, "", "must be of type string, not number"},
		// Of several the one that lies deepest, and then the first by name.
		{`{required: [x], properties: {b: {type: string}, a: {type: string}}}`, `{"b":1,"a":1}`, "/a", "must be of type string, not number"},
	} {
		got := schemaOf(t, c.schema).Check(&keg.Event{Data: []byte(c.data)})
		var want *keg.SchemaError
		if c.problem != "" {
			want = &keg.SchemaError{Route: "a", Pointer: c.pointer, Problem: c.problem}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s of %s (-want +got):\n%s", c.schema, c.data, diff)
		}
	}
}

func TestDataThatIsNoJSONFitsNoSchema(t *testing.T) {
	s := schemaOf(t, `{title: everything}`)
	for want, e := range map[string]*keg.Event{
		"there is no JSON: the event has no data":                           {},
		"there is no JSON: the data is no JSON by its content type":         {DataContentType: "text/plain", Data: []byte("{}")},
		"there is no JSON: the data is broken JSON":                         {Data: []byte("{")},
		"there is no JSON: the data is nested deeper than 64 levels":        {Data: []byte(strings.Repeat("[", 65) + strings.Repeat("]", 65))},
		"is a number of more than 400 digits or of an exponent beyond that": {Data: []byte("1e999999999")},
	} {
		if err := s.Check(e); err == nil || err.Problem != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := s.Check(&keg.Event{Data: []byte("null")}); err != nil {
		t.Errorf("null: %v", err)
	}
}

// A schema compares numbers exactly, and the exact value of a few characters
// may fill the memory.
func TestANumberCannotFillTheMemory(t *testing.T) {
	s := schemaOf(t, `{properties: {"a/b": {items: {type: integer, minimum: 5, multipleOf: 3, enum: [1, 2]}, uniqueItems: true}}}`)
	for _, number := range []string{"1e999999999", "-1E+999999999", "1e-999999999", "0e00999999999", "1e401", strings.Repeat("9", 500), "0." + strings.Repeat("1", 500)} {
		began := time.Now()
		err := s.Check(&keg.Event{Data: []byte(`{"a/b":[1,` + number + `]}`)})
		if err == nil || err.Pointer != "/a~1b/1" {
			t.Errorf("%.20s: %v", number, err)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%.20s took %v", number, took)
		}
	}
	for _, number := range []string{"1e400", "1e-0400", "12345678901234567890", "1E+5"} {
		if err := schemaOf(t, `{type: number}`).Check(&keg.Event{Data: []byte(number)}); err != nil {
			t.Errorf("%s: %v", number, err)
		}
	}
}

// TestACheckCannotHang gives schemas of a few lines, and events of a few
// bytes, that would be busy for years.
func TestACheckCannotHang(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 63) + "1" + strings.Repeat("}", 63)
	many := "[0" + strings.Repeat(",0", 500_000) + "]"
	text := `"` + strings.Repeat("a", 8<<20) + `"`
	for schema, data := range map[string]string{
		`{type: object, properties: {a: {anyOf: [{$ref: "#"}, {$ref: "#"}]}}}`:                                                                         deep,
		`{type: object, properties: {a: {allOf: [{$ref: "#"}, {$ref: "#"}]}}}`:                                                                         deep,
		`{type: object, not: {properties: {a: {not: {oneOf: [{$ref: "#"}, {$ref: "#"}]}}}}}`:                                                           deep,
		`{type: object, patternProperties: {a: {$ref: "#"}, "^a": {$ref: "#"}}}`:                                                                       deep,
		`{type: object, not: {$ref: "#/$defs/x"}, $defs: {x: {type: object, patternProperties: {a: {$ref: "#/$defs/x"}, "^a": {$ref: "#/$defs/x"}}}}}`: deep,
		`{$schema: "http://json-schema.org/draft-07/schema#", type: object, not: {$ref: "#/definitions/x"}, definitions: {x: {type: object, dependencies: {a: {$ref: "#/definitions/y"}, b: {$ref: "#/definitions/y"}}}, y: {properties: {a: {$ref: "#/definitions/x"}}}}}`: strings.Repeat(`{"b":0,"a":`, 63) + "1" + strings.Repeat("}", 63),
		`{items: {type: string}}`:                                  many,
		`{items: {minimum: 1}}`:                                    many,
		`{allOf: [{pattern: "(a*)*b$"}, {pattern: "(a|b|ab)*c"}]}`: text,
	} {
		s := schemaOf(t, schema)
		began := time.Now()
		err := s.Check(&keg.Event{Data: []byte(data)})
		took := time.Since(began)
		t.Logf("%.60s: %v: %v", schema, took, err)
		if err == nil || err.Problem != "the data is too large for its schema to be checked" {
			t.Errorf("%s: %v", schema, err)
		}
		if took > time.Minute {
			t.Errorf("%s: took %v", schema, took)
		}
		if err := s.Check(&keg.Event{Data: []byte(`{}`)}); err != nil && err.Problem == "the data is too large for its schema to be checked" {
			t.Errorf("%s: what one event cost is charged to the next", schema)
		}
	}
}

func TestLargeDataFitsAHarmlessSchema(t *testing.T) {
	var items bytes.Buffer
	items.WriteString(`{"items":[{"sku":"0","n":0}`)
	for i := range 20_000 {
		fmt.Fprintf(&items, `,{"sku":"%d","n":%d}`, i+1, i)
	}
	items.WriteString(`],"blob":"` + strings.Repeat("A", 1<<20) + `"}`)
	s := schemaOf(t, `{required: [items], properties: {blob: {pattern: "^[A-Z]+$"}, items: {uniqueItems: true, items: {type: object, required: [sku, n], properties: {sku: {type: string, minLength: 1}, n: {type: integer, minimum: 0}}, additionalProperties: false}}}}`)
	if err := s.Check(&keg.Event{Data: items.Bytes()}); err != nil {
		t.Error(err)
	}
}

func TestASchemaFileStandsBesideTheTable(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "schemas"), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "schemas", "order.schema.json")
	if err := os.WriteFile(path, []byte(`{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","required":["id"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, schema := range []string{`{file: schemas/order.schema.json, on_violation: dead_letter}`, `{file: '` + path + `', on_violation: dead_letter}`} {
		routes := filepath.Join(dir, "routes.yaml")
		if err := os.WriteFile(routes, []byte(withSchemaOf(schema)), 0o600); err != nil {
			t.Fatal(err)
		}
		table, err := Load(routes, Options{Types: known})
		if err != nil {
			t.Fatal(err)
		}
		r := table.Routes()[0]
		if err := r.Schema.Check(&keg.Event{Data: []byte("{}")}); err == nil || err.Problem != `needs "id"` || r.OnViolation != ViolationDeadLetter {
			t.Errorf("%s: %v, %s", schema, err, r.OnViolation)
		}
		if diff := cmp.Diff([]string{path}, table.Files()); diff != "" {
			t.Errorf("files: %s", diff)
		}
	}
}

func TestWrongSchemas(t *testing.T) {
	files := map[string]string{
		"list.json": "[]", "broken.json": "{", "secret": hidden, "outside.json": `{"$ref":"address.json"}`,
		"deep.json":   strings.Repeat(`{"not":`, 70) + "{}" + strings.Repeat("}", 70),
		"number.json": `{"minimum":1e999999999}`,
		"large.json":  `{"enum":[` + strings.Repeat("1,", 10_000) + `1]}`,
	}
	o := secretive()
	o.ReadFile = func(path string) ([]byte, error) {
		text, ok := files[path]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("no such file")}
		}
		return []byte(text), nil
	}
	for schema, want := range map[string]string{
		`x.json`:                             `4:11: routes[0].schema: must be a mapping of keys to values, not "x.json"`,
		`{}`:                                 `4:11: routes[0].schema: needs the schema: {file: order.schema.json}, {inline: {…}}, or the keywords of one`,
		`{on_violation: pass}`:               `4:11: routes[0].schema: needs the schema: {file: order.schema.json}, {inline: {…}}, or the keywords of one`,
		`{fil: x.json}`:                      `4:12: routes[0].schema.fil: unknown key (did you mean "file"?)`,
		`{requird: [a]}`:                     `4:12: routes[0].schema.requird: unknown key (did you mean "required"?)`,
		`{type: object, on_violation: drop}`: `4:40: routes[0].schema.on_violation: must be one of reject, dead_letter, pass, not "drop"`,
		`{file: x.json}`:                     `4:18: routes[0].schema.file: cannot be read: open x.json: no such file`,
		`{file: [x]}`:                        `4:18: routes[0].schema.file: must be a path, not a list`,
		`{file: ""}`:                         `4:18: routes[0].schema.file: must not be empty`,
		`{file: x, inline: {}}`:              `4:11: routes[0].schema: has both a file and an inline schema: give it one`,
		`{file: x, type: object}`:            `4:21: routes[0].schema.type: unknown key`,
		`{inline: x}`:                        `4:20: routes[0].schema.inline: must be a schema, which is a mapping`,
		`{file: list.json}`:                  `4:18: routes[0].schema.file: the file holds no JSON Schema: it must be one JSON object, no deeper than 64 levels`,
		`{file: broken.json}`:                `4:18: routes[0].schema.file: the file holds no JSON Schema: it must be one JSON object, no deeper than 64 levels`,
		`{file: secret}`:                     `4:18: routes[0].schema.file: the file holds no JSON Schema: it must be one JSON object, no deeper than 64 levels`,
		`{file: deep.json}`:                  `4:18: routes[0].schema.file: the file holds no JSON Schema: it must be one JSON object, no deeper than 64 levels`,
		`{file: number.json}`:                `4:18: routes[0].schema.file: is no JSON Schema that can be used: /minimum is a number of more than 400 digits`,
		`{file: large.json}`:                 `4:18: routes[0].schema.file: is no JSON Schema that can be used: it holds more than 10000 values`,
		`{file: outside.json}`:               `4:18: routes[0].schema.file: is no JSON Schema that can be used: it refers to address.json, and nothing is fetched: put what it refers to into its $defs`,
		`{$ref: "https://example.com/x"}`:    `4:11: routes[0].schema: is no JSON Schema that can be used: it refers to https://example.com/x, and nothing is fetched: put what it refers to into its $defs`,
		`{$ref: "file:///etc/passwd"}`:       `4:11: routes[0].schema: is no JSON Schema that can be used: it refers to file:///etc/passwd, and nothing is fetched: put what it refers to into its $defs`,
		`{$ref: "http://json-schema.org/draft-07/schema#"}`: `4:11: routes[0].schema: is no JSON Schema that can be used: a $ref must not lead to the schema of schemas`,
		`{$schema: "https://example.com/own"}`:              `4:11: routes[0].schema: is no JSON Schema that can be used: it refers to https://example.com/own, and nothing is fetched: put what it refers to into its $defs`,
		`{properties: {a: {type: strng}}}`:                  `4:11: routes[0].schema: is no JSON Schema that can be used: /properties/a/type must be one of "array", "boolean", "integer", "null", "number" and 2 more`,
		`{type: [strng]}`:                                   `4:11: routes[0].schema: is no JSON Schema that can be used: /type/0 must be one of "array", "boolean", "integer", "null", "number" and 2 more`,
		`{items: {$dynamicRef: "#x"}}`:                      `4:11: routes[0].schema: is no JSON Schema that can be used: $dynamicRef is not read here: use $ref`,
		`{minimum: 0x10}`:                                   `4:21: routes[0].schema.minimum: must be a plain decimal number; write 0x10 in quotes to mean the text`,
		`{pattern: "(?=a)"}`:                                `4:11: routes[0].schema: is no JSON Schema that can be used: /pattern must be of the format regex`,
		`{$ref: "#/$defs/nothing"}`:                         `4:11: routes[0].schema: is no JSON Schema that can be used: json-pointer in "#/$defs/nothing" not found`,
		`{const: "${NOPE}"}`:                                `4:19: routes[0].schema.const: the environment variable NOPE is not set; set it, or write ${NOPE:-default}`,
		`{type: "${SECRET}"}`:                               `4:11: routes[0].schema: is no JSON Schema that can be used: what is wrong with it is not shown, because some of it came from a variable`,
	} {
		_, err := Parse("f.yaml", []byte(withSchemaOf(schema)), o)
		if got := fmt.Sprint(err); got != "f.yaml:"+want {
			t.Errorf("%s:\ngot  %s\nwant f.yaml:%s", schema, got, want)
		}
	}
}

func TestASecretOfASchemaIsNeverShown(t *testing.T) {
	table, err := Parse("f.yaml", []byte(withSchemaOf(`{properties: {a: {const: "${SECRET}"}}, required: ["${SECRET}"]}`)), secretive())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{`{"a":1}`: "does not fit the schema's const", `{}`: "does not fit the schema's required"}
	for data, problem := range want {
		if err := table.Routes()[0].Schema.Check(&keg.Event{Data: []byte(data)}); err == nil || err.Problem != problem {
			t.Errorf("%s: %v", data, err)
		}
	}
}

func TestAViolationIsShortWhateverTheDataIs(t *testing.T) {
	name := strings.Repeat("é~/\r\n", 5000)
	data := fmt.Sprintf(`{%q:{%q:"s3cr3t"}}`, name, name)
	err := schemaOf(t, `{additionalProperties: {additionalProperties: false}}`).Check(&keg.Event{Data: []byte(data)})
	if err == nil || len(err.Pointer) > 2*maxPointer || len(err.Problem) > 1000 || strings.ContainsAny(err.Problem, "\r\n") {
		t.Fatalf("%.2000q", err)
	}
	if text := err.Error(); strings.Contains(text, "s3cr3t") || strings.ContainsAny(text, "\r\n") {
		t.Errorf("%.500q", text)
	}
}

func TestViolationsOfSeveralRoutes(t *testing.T) {
	table := mustParse(t, `
routes:
- {name: a, match: {}, destinations: [{type: http, address: a}]}
- {name: b, match: {}, schema: {required: [order]}, destinations: [{type: http, address: a}]}
- {name: c, match: {}, schema: {required: [nothing], on_violation: pass}, destinations: [{type: http, address: a}]}
- {name: d, match: {type: x}, schema: {required: [nothing]}, destinations: [{type: http, address: a}]}
`)
	routes := table.Match(orderCreated(), nil)
	want := []*keg.SchemaError{nil, nil, {Route: "c", Problem: `needs "nothing"`}}
	if diff := cmp.Diff(want, Violations(orderCreated(), routes)); diff != "" {
		t.Error(diff)
	}
	if got := Violations(orderCreated(), routes[:2]); got != nil {
		t.Errorf("got %v", got)
	}
	if routes[1].OnViolation != ViolationReject || routes[2].OnViolation != ViolationPass || routes[0].OnViolation != "" {
		t.Errorf("on_violation: %q %q %q", routes[0].OnViolation, routes[1].OnViolation, routes[2].OnViolation)
	}
	if s := table.Summary(); s.Schemas != 3 || !table.Needs().Data {
		t.Errorf("%+v, %+v", s, table.Needs())
	}
	e := orderCreated()
	if n := testing.AllocsPerRun(100, func() { Violations(e, routes[:1]) }); n > 0 && !raceEnabled {
		t.Errorf("%v allocations where no route has a schema", n)
	}
}

func TestASchemaServesManyAtOnce(t *testing.T) {
	s := schemaOf(t, `{properties: {order: {properties: {id: {type: integer, pattern: x}, code: {pattern: "^[0-9]$"}}}}}`)
	bad := &keg.Event{Data: []byte(`{"order":{"code":"x"}}`)}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 100 {
				if err := s.Check(orderCreated()); err != nil {
					t.Error(err)
					return
				}
				if err := s.Check(bad); err == nil || err.Pointer != "/order/code" {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
