package plugins

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
	"github.com/kong/keg/kong/schema"
)

// rulesOf compiles a config as Kong sends it.
func rulesOf(t testing.TB, config string) *entryRules {
	t.Helper()
	c := &eventLogConfig{}
	if err := schema.Decode([]byte(config), c); err != nil {
		t.Fatal(err)
	}
	rules, err := c.rules()
	if err != nil {
		t.Fatal(err)
	}
	return &rules
}

func recorded(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/log-" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What Kong wrote is the event's data byte by byte, where nothing is changed.
func TestEntriesOfARunningKong(t *testing.T) {
	for name, want := range map[string]logEntry{
		"proxied":         {id: "56859966339ec26f55971525baaee16d", started: 1795420221584, service: "up", route: "up"},
		"no-route":        {id: "ebf9107423cc77583933fa5283f64c2a", started: 1795420222223},
		"upstream-down":   {id: "3a089469e864ea08a1109a49666b0b6b", started: 1795420222854, service: "down", route: "down"},
		"short-circuited": {id: "e19eae7a8358f47e6c5ab32a0e7b084a", started: 1795420223491, service: "term", route: "term"},
	} {
		text := recorded(t, name)
		want.data = []byte(text)
		got, err := rulesOf(t, `{}`).read([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(logEntry{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if id := requestIDOf(text); id != want.id {
			t.Errorf("%s: its id is %q", name, id)
		}
	}
}

func TestRedaction(t *testing.T) {
	none := `"redact_credentials":false`
	for _, test := range []struct{ name, config, entry, want string }{
		{"credentials, without being asked", ``,
			`{"request":{"headers":{"authorization":"Bearer s3","cookie":["a=s3","b=s3"],"apikey":"s3","x-api-key":"s3","host":"h"},"querystring":{"apikey":"s3","jwt":"s3","a":"b"},"uri":"/x?apikey=s3&a=b&jwt=s3"},"response":{"headers":{"set-cookie":["s3"],"via":"k"}}}`,
			`{"request":{"headers":{"authorization":"REDACTED","cookie":"REDACTED","apikey":"REDACTED","x-api-key":"REDACTED","host":"h"},"querystring":{"apikey":"REDACTED","jwt":"REDACTED","a":"b"},"uri":"/x?apikey=REDACTED&a=b&jwt=REDACTED"},"response":{"headers":{"set-cookie":"REDACTED","via":"k"}}}`},
		{"credentials, where they are wanted", none, `{"request":{"headers":{"cookie":"s3"}}}`, `{"request":{"headers":{"cookie":"s3"}}}`},
		{"a path beside them", `"redact":["request.headers.X-Token"]`, `{"request":{"headers":{"x-token":"s3","cookie":"s3","x-tokens":"t"}}}`, `{"request":{"headers":{"x-token":"REDACTED","cookie":"REDACTED","x-tokens":"t"}}}`},
		{"a name with a dot", none + `,"redact":["request.headers.x\\.y"]`, `{"request":{"headers":{"x.y":"s3","x":{"y":1}}}}`, `{"request":{"headers":{"x.y":"REDACTED","x":{"y":1}}}}`},
		{"a name that is escaped in the entry", none + `,"redact":["secret"]`, `{"s\u0065cret":"s3"}`, `{"s\u0065cret":"REDACTED"}`},
		{"twice the same name", none + `,"redact":["a"]`, `{"a":"s3","a":"s3"}`, `{"a":"REDACTED","a":"REDACTED"}`},
		{"an object, a list, a number, null", none + `,"redact":["*"]`, `{"a":{"b":"s3"},"c":["s3"],"d":3,"e":null}`, `{"a":"REDACTED","c":"REDACTED","d":"REDACTED","e":"REDACTED"}`},
		{"every element", none + `,"redact":["tries.ip"]`, `{"tries":[{"ip":"s3","port":1},{"ip":"s3"},[{"ip":"s3"}],"x"]}`, `{"tries":[{"ip":"REDACTED","port":1},{"ip":"REDACTED"},[{"ip":"REDACTED"}],"x"]}`},
		{"a star for each element", none + `,"redact":["tries.*.ip"]`, `{"tries":[{"ip":"s3","on":{"ip":"t"}}]}`, `{"tries":[{"ip":"REDACTED","on":{"ip":"t"}}]}`},
		{"one element", none + `,"redact":["tries.1.ip"]`, `{"tries":[{"ip":"t"},{"ip":"s3"}]}`, `{"tries":[{"ip":"t"},{"ip":"REDACTED"}]}`},
		{"an element that is a value", none + `,"redact":["a.0","b.*"]`, `{"a":["s3","t"],"b":["s3","s3"]}`, `{"a":["REDACTED","t"],"b":["REDACTED","REDACTED"]}`},
		{"what is not there", none + `,"redact":["a.b.c","request.querystring.token"]`, `{"a":{"b":3},"request":7}`, `{"a":{"b":3},"request":7}`},
		{"an escaped star is a name", none + `,"redact":["\\*"]`, `{"*":"s3","a":"t"}`, `{"*":"REDACTED","a":"t"}`},
		{"arguments in every URI", none + `,"redact":["request.querystring.token"]`,
			`{"request":{"url":"http://h/x?token=s3","uri":"/x?b=1&%74oken=s3&TOKEN=s3&token&to+ken=t&c=%","querystring":{"token":["s3","s3"],"b":"1"}},"upstream_uri":"/y?token=s3","uri":"?token=t"}`,
			`{"request":{"url":"http://h/x?token=REDACTED","uri":"/x?b=1&%74oken=REDACTED&TOKEN=REDACTED&token&to+ken=t&c=%","querystring":{"token":"REDACTED","b":"1"}},"upstream_uri":"/y?token=REDACTED","uri":"?token=t"}`},
		{"the whole query", none + `,"redact":["request.querystring"]`, `{"request":{"uri":"/x?a=s3","querystring":{"a":"s3"}},"upstream_uri":"/x?"}`, `{"request":{"uri":"/x?REDACTED","querystring":"REDACTED"},"upstream_uri":"/x?"}`},
		{"all arguments, by a star in the middle", none + `,"redact":["request.*.a"]`, `{"request":{"uri":"/x?a=s3&b=t","headers":{"a":"s3"},"querystring":{"a":"s3","b":"t"}}}`, `{"request":{"uri":"/x?a=REDACTED&b=t","headers":{"a":"REDACTED"},"querystring":{"a":"REDACTED","b":"t"}}}`},
		{"a URI with escapes of its own", none + `,"redact":["request.querystring.t"]`, `{"request":{"uri":"\/x?q=\"&t=s3"}}`, `{"request":{"uri":"/x?q=\"&t=REDACTED"}}`},
		{"numbers stay as Kong wrote them", none, `{"n":1.795420222856943e+18,"i":12345678901234567890,"s":"\u00e9\/"}`, `{"n":1.795420222856943e+18,"i":12345678901234567890,"s":"\u00e9\/"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := rulesOf(t, "{"+test.config+"}").read([]byte(test.entry))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got.data)); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(test.want, redacted) && strings.Contains(string(got.data), "s3") {
				t.Errorf("a secret is left: %s", got.data)
			}
		})
	}
}

func TestCustomFields(t *testing.T) {
	for _, test := range []struct{ name, fields, entry, want string }{
		{"at the top", `"env":"prod"`, `{"a":1}`, `{"a":1,"env":"prod"}`},
		{"into nothing", `"env":"prod"`, `{}`, `{"env":"prod"}`},
		{"below what is there", `"request.tags.team":"a","request.tags.b":"c"`, `{"request":{"id":"1"}}`, `{"request":{"id":"1","tags":{"b":"c","team":"a"}}}`},
		{"in an object's place", `"request":"gone"`, `{"request":{"id":"1"}}`, `{"request":"gone"}`},
		{"below what is no object", `"tries.a":"x"`, `{"tries":[1,2],"z":1}`, `{"tries":{"a":"x"},"z":1}`},
		{"a name with a dot, and quotes", `"a\\.b\"":"\"\u0000\n"`, `{}`, `{"a.b\"":"\"\u0000\n"}`},
		{"in any order", `"b":"2","a":"1"`, `{}`, `{"a":"1","b":"2"}`},
		{"not redacted", `"request.headers.cookie":"mine"`, `{"request":{"headers":{"cookie":"s3"}}}`, `{"request":{"headers":{"cookie":"mine"}}}`},
		{"in place of what is redacted", `"request.headers.cookie.mine":"x"`, `{"request":{"headers":{"cookie":{"a":"s3"}}}}`, `{"request":{"headers":{"cookie":{"mine":"x"}}}}`},
		{"case matters", `"Env":"prod"`, `{"env":"dev"}`, `{"env":"dev","Env":"prod"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := rulesOf(t, `{"custom_fields":{`+test.fields+`}}`).read([]byte(test.entry))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got.data)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A field that stands over the request's id changes what the entry says, and
// not the event's id.
func TestAttributesAreThoseOfTheRequest(t *testing.T) {
	rules := rulesOf(t, `{"custom_fields":{"request.id":"forged","started_at":"never","service":"none"},"redact":["request.headers","route.name"]}`)
	got, err := rules.read([]byte(`{"request":{"id":"1","headers":{"keg-hops":"3"}},"started_at":1.5e+12,"service":{"name":null,"id":"s-1"},"route":{"id":"r-1","name":"r"}}`))
	if err != nil {
		t.Fatal(err)
	}
	// What lies below a value that is taken out is not looked at.
	if got.id != "1" || got.started != 1_500_000_000_000 || got.service != "" || got.route != "r" || got.hops != "" {
		t.Errorf("%+v", got)
	}
	if want := `{"request":{"id":"forged","headers":"REDACTED"},"started_at":"never","service":"none","route":{"id":"r-1","name":"REDACTED"}}`; string(got.data) != want {
		t.Errorf("%s", got.data)
	}
}

// Plugins may put anything into an entry: what is of another type than Kong
// writes counts as absent.
func TestOddEntries(t *testing.T) {
	rules := rulesOf(t, `{"redact":["request.querystring.t"]}`)
	for _, text := range []string{
		`{}`, `{"request":null,"route":[],"service":"s","started_at":"soon"}`, `{"request":{"id":7,"uri":{"a":["?t=1"]}},"route":{"name":{}},"started_at":-1}`,
		`{"request":[{"id":"1"}],"started_at":1e300,"upstream_uri":""}`,
	} {
		got, err := rules.read([]byte(text))
		if err != nil || string(got.data) != text || got.id != "" || got.started != 0 || got.route != "" || got.service != "" {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if id := requestIDOf(text); id != "" {
			t.Errorf("%s: id %q", text, id)
		}
	}
}

func TestBrokenEntries(t *testing.T) {
	rules := rulesOf(t, `{"custom_fields":{"a.b":"c"},"redact":["x.*.y"]}`)
	good := recorded(t, "proxied")
	broken := []string{"", " ", "null", "[]", `"text"`, "{", `{"a"`, `{"a":}`, `{"a":1}{"b":2}`, `{"a":1} x`, `{"x":[1,}`, "\xff", "{\x00}", good + "}",
		strings.Repeat(`{"x":`, 100) + "1" + strings.Repeat("}", 100), `{"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}",
		`{"x":` + strings.Repeat("[", 1_000_000)}
	for i := 1; i < len(good); i += 37 {
		broken = append(broken, good[:i])
	}
	for _, text := range broken {
		requestIDOf(text)
		got, err := rules.read([]byte(text))
		invalid, ok := errors.AsType[*keg.InvalidError](err)
		if !ok || got.data != nil {
			t.Errorf("%.40q was read, or failed otherwise: %v", text, err)
			continue
		}
		if strings.ContainsAny(invalid.Problem, "\x00\r\n") || !utf8.ValidString(invalid.Problem) || len(invalid.Problem) > 300 || strings.Contains(invalid.Problem, "curl") {
			t.Errorf("%.40q: the error tells too much: %q", text, invalid.Problem)
		}
	}
}

// A client may send any bytes in a header, and Kong writes them as they came.
func TestEntriesAreUTF8(t *testing.T) {
	rules := rulesOf(t, `{"redact":["request.querystring.t"],"custom_fields":{"a":"b"}}`)
	got, err := rules.read([]byte("{\"request\":{\"id\":\"1\",\"uri\":\"/?t=1&\xfe\",\"headers\":{\"x\":\"a\xff\xfeb\",\"\xc3\":\"\xe2\x82\"}}}"))
	if err != nil {
		t.Fatal(err)
	}
	if !utf8.Valid(got.data) || !json.Valid(got.data) || !strings.Contains(string(got.data), "\"x\":\"a\uFFFDb\"") || got.id != "1" {
		t.Errorf("%q", got.data)
	}
	if id := requestIDOf("{\"x\":\"\xff\",\"request\":{\"id\":\"1\"}}"); id != "1" {
		t.Errorf("its id is %q", id)
	}
}

func TestAHugeEntryIsReadInOnePass(t *testing.T) {
	var members []string
	for i := range 20_000 {
		members = append(members, fmt.Sprintf(`"h%d":[%d,{"token":"s3"}]`, i, i))
	}
	text := `{"request":{"id":"1","headers":{` + strings.Join(members, ",") + `}}}`
	got, err := rulesOf(t, `{"redact":["request.headers.*.token","request.headers.*.*.token"]}`).read([]byte(text))
	if err != nil || strings.Contains(string(got.data), "s3") || !json.Valid(got.data) || strings.Count(string(got.data), redacted) != 20_000 {
		t.Errorf("%d bytes, %d redacted, %v", len(got.data), strings.Count(string(got.data), redacted), err)
	}
}

func TestPathsThatAreNone(t *testing.T) {
	for _, test := range []struct{ config, want string }{
		{`{"redact":[""]}`, "config.redact[1]: has an empty name"},
		{`{"redact":["a","b..c"]}`, "config.redact[2]: has an empty name"},
		{`{"redact":["` + strings.Repeat("a.", 300) + `b"]}`, "config.redact[1]: is longer than"},
		{`{"redact":["a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a"]}`, "more than 16 names"},
		{`{"custom_fields":{"":"x"}}`, "config.custom_fields: \"\" has an empty name"},
		{`{"custom_fields":{"a.*":"x"}}`, "config.custom_fields: \"a.*\" has a `*`"},
		{`{"custom_fields":{"a":"x","a.b":"y"}}`, `config.custom_fields: "a.b" stands below`},
		{`{"custom_fields":{"a.b.c":"x","a.b":"y"}}`, "above one"},
		{`{"custom_fields":{"a":"` + strings.Repeat("x", 9000) + `"}}`, "a value of more than"},
		{`{"redact":[""],"custom_fields":{"":"x"}}`, "config.redact[1]"},
	} {
		c := &eventLogConfig{}
		if err := schema.Decode([]byte(test.config), c); err != nil {
			t.Fatal(err)
		}
		if _, err := c.rules(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.60s: %v, want %q", test.config, err, test.want)
		}
	}
}

func FuzzEntries(f *testing.F) {
	for _, name := range []string{"proxied", "no-route", "upstream-down", "short-circuited"} {
		f.Add(recorded(f, name))
	}
	f.Add(`{"request":{"headers":{"cookie":"x"},"uri":"/?token=1"},"tries":[{"ip":"1"}]}`)
	rules := rulesOf(f, `{"redact":["tries.ip","request.querystring.token"],"custom_fields":{"request.a":"b","z.y":"x"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		requestIDOf(text)
		got, err := rules.read([]byte(text))
		if err == nil && (!json.Valid(got.data) || !utf8.Valid(got.data)) {
			t.Errorf("%q became %q", text, got.data)
		}
	})
}
