package router

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// problems are the lines of the error that a text gives.
func problems(t testing.TB, text string, o Options) []string {
	t.Helper()
	o.Types = known
	table, err := Parse("f.yaml", []byte(text), o)
	if err == nil {
		return nil
	}
	var all Errors
	if !errors.As(err, &all) || table != nil {
		t.Fatalf("the error is %T, the table %v", err, table)
	}
	return strings.Split(err.Error(), "\n")
}

func TestWrongTables(t *testing.T) {
	const to = ", destinations: [{type: http, address: http://a}]}\n"
	for _, c := range []struct {
		says, text string
		want       []string
	}{
		{"an empty file", "", []string{"f.yaml: is empty"}},
		{"only comments", "# nothing\n", []string{"f.yaml: is empty"}},
		{"a list at the top", "- a", []string{"f.yaml:1:1: must be a mapping of keys to values: put the list under `routes:`"}},
		{"a scalar at the top", "x", []string{`f.yaml:1:1: must be a mapping of keys to values, not "x"`}},
		{"no routes", "unmatched: reject", []string{"f.yaml:1:1: routes: is required"}},
		{"routes that are no list", "routes: x", []string{`f.yaml:1:9: routes: must be a list, not "x"`}},
		{"broken YAML", "routes:\n  - a: [", []string{"f.yaml:2:1: is no YAML: did not find expected node content"}},
		{"two documents", "routes: []\n---\nroutes: []", []string{"f.yaml:2:1: a second document begins here: one file holds one document"}},
		{
			"unknown keys everywhere", `
rotues: []
routes:
- name: a
  descripton: x
  match: {}
  destinations:
  - {type: kafka, address: "a:1", topic: t, ack: all, tls: {caa: x}, retry: {max_attempt: 3}}
`, []string{
				`f.yaml:2:1: rotues: unknown key (did you mean "routes"?)`,
				`f.yaml:5:3: routes[0].descripton: unknown key (did you mean "description"?)`,
				`f.yaml:8:45: routes[0].destinations[0].ack: unknown key (did you mean "acks"?)`,
				`f.yaml:8:61: routes[0].destinations[0].tls.caa: unknown key (did you mean "ca"?)`,
				`f.yaml:8:78: routes[0].destinations[0].retry.max_attempt: unknown key (did you mean "max_attempts"?)`,
			},
		},
		{
			"a route without anything", "routes: [{}]", []string{
				"f.yaml:1:10: routes[0].name: is required",
				"f.yaml:1:10: routes[0].match: is required",
				"f.yaml:1:10: routes[0].destinations: is required",
			},
		},
		{
			"two routes of a name", "routes:\n- {name: a, match: {}" + to + "- {name: b, match: {}" + to + "- {name: a, match: {}" + to,
			[]string{"f.yaml:4:10: routes[2].name: two routes have this name: the other one stands on line 2, this one on line 4"},
		},
		{
			"a key twice", "routes:\n- name: a\n  match: {type: x, type: y}\n  destinations: [{type: http, address: a}]\n  name: b",
			[]string{
				"f.yaml:3:20: routes[0].match.type: the key stands here twice; first on line 3",
				"f.yaml:5:3: routes[0].name: the key stands here twice; first on line 2",
			},
		},
		{"an empty name", `routes: [{name: "", match: {}` + to + "]", []string{"f.yaml:1:17: routes[0].name: must not be empty"}},
		{"a name with a line break", `routes: [{name: "a\nb", match: {}` + to + "]", []string{"f.yaml:1:17: routes[0].name: must not have control characters"}},
		{"a name that is a number", `routes: [{name: 7, match: {}` + to + "]", []string{"f.yaml:1:17: routes[0].name: must be a string: write 7 in quotes"}},
		{"a match that was forgotten", "routes:\n- name: a\n  match:\n  destinations: [{type: http, address: a}]", []string{"f.yaml:2:3: routes[0].match: is required"}},
		{"no destination", "routes: [{name: a, match: {}, destinations: []}]", []string{"f.yaml:1:45: routes[0].destinations: needs at least one destination"}},
		{"unknown type", "routes: [{name: a, match: {}, destinations: [{type: kakfa, tpoic: x}]}]", []string{
			`f.yaml:1:53: routes[0].destinations[0].type: unknown type of destination, "kakfa": known are kafka, http (did you mean "kafka"?)`,
		}},
		{"no type", "routes: [{name: a, match: {}, destinations: [{address: x}]}]", []string{
			"f.yaml:1:46: routes[0].destinations[0]: needs a `type`: one of kafka, http",
		}},
		{"a destination that is text", "routes: [{name: a, match: {}, destinations: [http]}]", []string{
			`f.yaml:1:46: routes[0].destinations[0]: must be a mapping of keys to values, not "http"`,
		}},
		{
			"settings out of bounds", `
routes:
- name: a
  match: {}
  destinations:
  - {type: kafka, address: "a:1", topic: t, acks: most, max_message_bytes: 0}
  - {type: kafka, address: "a:1", topic: t, timeout: 10, retry: {max_attempts: 0, backoff: x, max_age: 1ms}}
  - {type: http, address: a, rate: 0.1, allow_private: "yes", format: binary, headers: {"a b": c}}
`, []string{
				`f.yaml:6:51: routes[0].destinations[0].acks: must be one of all, leader, none, not "most"`,
				`f.yaml:6:76: routes[0].destinations[0].max_message_bytes: must be at least 1`,
				`f.yaml:7:54: routes[0].destinations[1].timeout: must be a duration with its unit, such as "10s", not the number 10`,
				`f.yaml:7:80: routes[0].destinations[1].retry.max_attempts: must be at least 1`,
				`f.yaml:7:92: routes[0].destinations[1].retry.backoff: must be a duration with its unit, such as "10s" or "1h30m", not "x"`,
				`f.yaml:7:104: routes[0].destinations[1].retry.max_age: must be at least 1s`,
				`f.yaml:8:36: routes[0].destinations[2].rate: must be at least 0.5`,
				`f.yaml:8:56: routes[0].destinations[2].allow_private: must be true or false, not "yes"`,
				`f.yaml:8:71: routes[0].destinations[2].format: http destinations have no format binary: use one of structured, raw`,
				`f.yaml:8:88: routes[0].destinations[2].headers: "a b" is no name of a header`,
			},
		},
		{
			"what the type's own rules say", `
routes:
- {name: a, match: {}, destinations: [{type: kafka, address: "a:1,b", topic: "x y", tls: {ca: x, insecure_skip_verify: true}}]}
`, []string{
				`f.yaml:3:62: routes[0].destinations[0].address: "b" is no host:port`,
				`f.yaml:3:78: routes[0].destinations[0].topic: "x y" has a space`,
				`f.yaml:3:95: routes[0].destinations[0].tls.ca: is of no use with insecure_skip_verify`,
			},
		},
		{
			"two destinations of a name", "routes: [{name: a, match: {}, destinations: [{type: http, address: a, name: x}, {type: http, address: b, name: x}]}]",
			[]string{"f.yaml:1:112: routes[0].destinations[1].name: another destination of this route has the same name"},
		},
		{"header values must not break lines", `routes: [{name: a, match: {}, destinations: [{type: http, address: a, headers: {x: "a\r\nb: c"}}]}]`, []string{
			"f.yaml:1:80: routes[0].destinations[0].headers: the value of the header x has a character that no header may have, such as a line break",
		}},
		{"unmatched", "routes: []\nunmatched: drop", []string{`f.yaml:2:12: unmatched: must be accept, reject, or a list of destinations, not "drop"`}},
		{"unmatched without destinations", "routes: []\nunmatched: []", []string{"f.yaml:2:12: unmatched: needs at least one destination"}},
		{"defaults", "routes: []\ndefaults: {timout: 1s, kakfa: {}, kafka: {acsk: all, acks: x}, retry: {backof: 1s}}", []string{
			`f.yaml:2:12: defaults.timout: unknown key (did you mean "timeout"?)`,
			`f.yaml:2:24: defaults.kakfa: unknown key (did you mean "kafka"?)`,
			`f.yaml:2:43: defaults.kafka.acsk: unknown key (did you mean "acks"?)`,
			`f.yaml:2:60: defaults.kafka.acks: must be one of all, leader, none, not "x"`,
			`f.yaml:2:72: defaults.retry.backof: unknown key (did you mean "backoff"?)`,
		}},
	} {
		t.Run(c.says, func(t *testing.T) {
			if diff := cmp.Diff(c.want, problems(t, c.text, Options{})); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWrongMatches(t *testing.T) {
	for _, c := range []struct{ match, want string }{
		{`x`, `1:27: routes[0].match: must be a mapping of keys to values, not "x"`},
		{`{event_typ: x}`, `1:28: routes[0].match.event_typ: unknown key (did you mean "event_type"?)`},
		{`{Type: x}`, `1:28: routes[0].match.Type: unknown key (did you mean "type"?)`},
		{`{header.X: x}`, `1:28: routes[0].match.header.X: unknown key (did you mean "headers.X"?)`},
		{`{data: x}`, "1:28: routes[0].match.data: name what to look at in the data: `data.NAME`"},
		{`{headers: {a: b}}`, "1:28: routes[0].match.headers: name what to look at in the headers: `headers.NAME`"},
		{`{headers.: x}`, `1:28: routes[0].match.headers.: "" is no name of a header`},
		{`{data..x: x}`, "1:28: routes[0].match.data..x: the path has an empty name: write `data.order.id`"},
		{`{'data.a\x': x}`, `1:28: routes[0].match.data.a\x: a backslash in a path stands before a dot or a backslash`},
		{`{type: {prefx: x}}`, `1:35: routes[0].match.type.prefx: unknown key (did you mean "prefix"?)`},
		{`{type: {prefix: ""}}`, `1:43: routes[0].match.type.prefix: must not be empty`},
		{`{type: {prefix: [a, b]}}`, `1:43: routes[0].match.type.prefix: must be a string, not a list`},
		{`{type: {prefix: 1}}`, `1:43: routes[0].match.type.prefix: must be a string: write 1 in quotes`},
		{`{type: {}}`, `1:34: routes[0].match.type: needs an operator, such as {prefix: x}`},
		{`{type: []}`, `1:34: routes[0].match.type: needs at least one item: an empty list never holds`},
		{`{type: {anything_but: []}}`, `1:49: routes[0].match.type.anything_but: needs at least one item: an empty list never holds`},
		{`{type: {file: x, prefix: y}}`, `1:35: routes[0].match.type.file: {file: path} stands alone: it is a value, no operator`},
		{`{a: {gt: "1"}}`, `1:36: routes[0].match.a.gt: must be a number, not "1"`},
		{`{a: 0x10}`, `1:31: routes[0].match.a: must be a plain decimal number; write 0x10 in quotes to mean the text`},
		{`{a: 010}`, `1:31: routes[0].match.a: must be a plain decimal number; write 010 in quotes to mean the text`},
		{`{a: .inf}`, `1:31: routes[0].match.a: must be a plain decimal number; write .inf in quotes to mean the text`},
		{`{a: {exists: "yes"}}`, `1:40: routes[0].match.a.exists: must be true or false, not "yes"`},
		{`{a: {cidr: 10.0.0/8}}`, `1:38: routes[0].match.a.cidr: must be a block of addresses such as 10.0.0.0/8, not "10.0.0/8"`},
		{`{time: yesterday}`, `1:34: routes[0].match.time: must be a time such as 2026-01-31T12:00:00Z (RFC 3339), not "yesterday"`},
		{`{time: {gt: 5}}`, `1:39: routes[0].match.time.gt: must be a time such as 2026-01-31T12:00:00Z (RFC 3339), not 5`},
		{`{type: {regex: "a("}}`, "1:42: routes[0].match.type.regex: is no regular expression that RE2 reads: missing closing ): `a(`"},
		{`{type: {regex: "` + strings.Repeat("a", 1001) + `"}}`, `1:42: routes[0].match.type.regex: must not be longer than 1000 bytes`},
		{`{type: {regex: "((a{50}){20}){20}"}}`, `1:42: routes[0].match.type.regex: is no regular expression that RE2 reads: invalid repeat count: ` + "`{20}`"},
		{`{type: {regex: "(a{100}){9}(b{100}){9}"}}`, `1:42: routes[0].match.type.regex: the regular expression is too large: it compiles to more than 1000 instructions`},
		{`{all: []}`, `1:33: routes[0].match.all: needs at least one match`},
		{`{any: {type: x}}`, `1:33: routes[0].match.any: must be a list, not a mapping`},
		{`{any: [{typ_: x}]}`, `1:35: routes[0].match.any[0].typ_: unknown key (did you mean "type"?)`},
		{`{not: [{}]}`, `1:33: routes[0].match.not: must be a mapping of keys to values, not a list`},
		{`{when: ""}`, `1:34: routes[0].match.when: must not be empty`},
		{`{when: 5}`, `1:34: routes[0].match.when: must be a string: write 5 in quotes`},
		{`{when: typ == type}`, `1:34: routes[0].match.when: is no valid CEL: undeclared reference to 'typ' (did you mean 'type'?)`},
		{`{when: 'type == source || idd == id'}`, `1:53: routes[0].match.when: is no valid CEL: undeclared reference to 'idd' (did you mean 'id'?)`},
		{`{when: type + id}`, `1:34: routes[0].match.when: must be true or false for each event, and is of type string`},
		{`{when: type == 5}`, `1:39: routes[0].match.when: is no valid CEL: found no matching overload for '_==_' applied to '(string, int)'`},
	} {
		t.Run(c.match[:min(40, len(c.match))], func(t *testing.T) {
			text := "routes: [{name: a, match: " + c.match + ", destinations: [{type: http, address: a}]}]"
			got := problems(t, text, Options{})
			if len(got) == 0 || got[0] != "f.yaml:"+c.want {
				t.Errorf("got  %s\nwant f.yaml:%s", strings.Join(got, "\n     "), c.want)
			}
		})
	}
}
