package declarative

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLuaPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"^%u+$", "GET", true},
		{"^%u+$", "Get", false},
		{"^[0-9a-zA-Z.%-_~]+$", "a-b_c.d~e", true},
		{"^[0-9a-zA-Z.%-_~]+$", "a b", false},
		{"%.com$", "example.com", true},
		{"%.com$", "example-com", false},
		{"^a-b$", "aaab", true}, // - repeats, as few times as it can
		{"[^%s]", " \t", false},
		{"[]x]", "]", true},
		{"[%a_][%w_]*", "_a1", true},
		{"a{2}", "a{2}", true}, // braces mean nothing to Lua
		{"a|b", "b", false},    // nor does |
		{"%D", "1", false},
		{"x$y", "x$y", true},
		{"a.c", "a\nc", true},
	} {
		re, err := luaPattern(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		if got := re.MatchString(c.text); got != c.want {
			t.Errorf("%s matches %q: %t", c.pattern, c.text, got)
		}
	}
	for _, bad := range []string{"%", "%b()", "%f[a]", "(a)%1", "[a"} {
		if _, err := luaPattern(bad); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func TestAppendJSONWritesAsLuaDoes(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{
		{nil, `null`},
		{true, `true`},
		{1e15, `1e+15`},
		{99999999999.0, `99999999999`},
		{0.1, `0.1`},
		{-2.0, `-2`},
		{1.0 / 3, `0.33333333333333`},
		{"a/b\"\\\n\x01\x7f", `"a/b\"\\\n\u0001\u007f"`},
		{"\xff", "\"\xff\""},
		{[]any{}, `{}`},
		{Array{}, `[]`},
		{[]any{1.0, "x"}, `[1,"x"]`},
		{map[string]any{"b": nil, "a": []string{"x"}}, `{"a":["x"],"b":null}`},
	} {
		if got := string(AppendJSON(nil, c.value)); got != c.want {
			t.Errorf("%#v: %s, want %s", c.value, got, c.want)
		}
	}
}

func TestPretty(t *testing.T) {
	value := map[string]any{"services": []any{nil, map[string]any{"port": `expected "an" integer`}}, "@entity": []any{"x"}}
	if got, want := pretty(value), `{["@entity"]={"x"},services={[2]={port="expected \"an\" integer"}}}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := prettyLines(map[string]any{"count": "expected an integer"}), "{\n  count = \"expected an integer\"\n}"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestYAMLValues(t *testing.T) {
	got, err := Decode([]byte("a: 1\nb: 1.5\nc: yes\nd: true\ne: ~\nf: 2026-11-23\ng: [x, '1']\nh: {i: 0x10}\nj: &k 7\nl: *k\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"a": 1.0, "b": 1.5, "c": "yes", "d": true, "e": nil, "f": "2026-11-23",
		"g": []any{"x", "1"}, "h": map[string]any{"i": 16.0}, "j": 7.0, "l": 7.0}
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	for _, bad := range []string{"a: .inf", "1: 2", "<<: {a: 1}", "[1]: 2"} {
		if v, err := Decode([]byte(bad)); err == nil {
			t.Logf("%s is %v", bad, v)
			if bad != "1: 2" { // a key that is written as a string
				t.Errorf("%s was read", bad)
			}
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte("_format_version: '3.0'\nservices: [{name: s, url: http://h, routes: [{paths: [/]}]}]"))
	f.Add([]byte(`{"_format_version":"3.0","plugins":[{"name":"request-termination","config":{"body":"x"}}]}`))
	schema, err := ParseSchema([]byte(RequestTermination))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l := &Loader{Schemas: map[string]*Schema{"request-termination": schema}}
		config, err := l.Load(text)
		if (config == nil) == (err == nil) {
			t.Fatalf("%v, %v", config, err)
		}
		if config == nil {
			return
		}
		for _, p := range config.Plugins {
			p.PluginConfig(func(string) (string, bool) { return "", false }, func(string, error) {})
		}
	})
}
