package strict

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

type inner struct {
	CA    string `keg:"ca,required" doc:"An authority."`
	Level int    `keg:"level" default:"3" min:"1" max:"9"`
}

type settings struct {
	Name    string                `keg:"name,required" doc:"A name."`
	Mode    string                `keg:"mode" enum:"fast,slow" default:"fast"`
	Count   int                   `keg:"count" min:"1" max:"100"`
	Big     int64                 `keg:"big"`
	Rate    float64               `keg:"rate" default:"0.5" max:"1"`
	On      bool                  `keg:"on" default:"true"`
	Wait    time.Duration         `keg:"wait" default:"10s" min:"1ms" max:"1h"`
	Secret  keg.Secret            `keg:"secret"`
	Hosts   []string              `keg:"hosts,split"`
	Scopes  []string              `keg:"scopes" default:"a,b"`
	Headers map[string]keg.Secret `keg:"headers"`
	Plain   inner                 `keg:"plain"`
	Pointer *inner                `keg:"pointer"`
	Many    []inner               `keg:"many"`
	Raw     Raw                   `keg:"raw" ref:"anything"`
	Ignored int
}

func (s *settings) Validate() error {
	var errs []error
	if s.Name == "wrong" {
		errs = append(errs, &keg.FieldError{Path: "name", Problem: `"wrong" is wrong`})
	}
	if s.Pointer != nil && s.Pointer.CA == "bad" {
		errs = append(errs, &keg.FieldError{Path: "pointer.ca", Problem: "is bad"})
	}
	if len(s.Hosts) > 1 && s.Hosts[1] == "bad" {
		errs = append(errs, errors.Join(&keg.FieldError{Path: "hosts[1]", Problem: "is bad"}))
	}
	if s.Count == 13 {
		errs = append(errs, &keg.FieldError{Path: "rate", Problem: "is needed with 13"}, errors.New("is unlucky"))
	}
	return errors.Join(errs...)
}

func decode(t *testing.T, layers ...string) (settings, error) {
	t.Helper()
	d := NewDecoder("f", Options{LookupEnv: func(name string) (string, bool) {
		v, ok := map[string]string{"N": "7", "T": "true", "W": "2s", "S": "s3cret-host"}[name]
		return v, ok
	}})
	var places []*Place
	for _, text := range layers {
		p, err := Read("f", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, p)
	}
	var s settings
	d.Struct([]any{&s}, places...)
	return s, d.Err()
}

func defaults() settings {
	return settings{
		Name: "x", Mode: "fast", Rate: 0.5, On: true, Wait: 10 * time.Second, Scopes: []string{"a", "b"}, Plain: inner{Level: 3},
	}
}

var sameSettings = cmp.Options{
	cmp.Comparer(func(a, b keg.Secret) bool { return a == b }),
	cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Ignored" || p.Last().String() == ".Raw" }, cmp.Ignore()),
}

func TestStruct(t *testing.T) {
	for _, c := range []struct {
		says   string
		layers []string
		want   func(*settings)
	}{
		{"only what is required", []string{"name: x"}, func(*settings) {}},
		{"numbers", []string{"{name: x, count: 5, big: -9007199254740993, rate: 1}"}, func(s *settings) { s.Count, s.Big, s.Rate = 5, -9007199254740993, 1 }},
		{"numbers as Lua writes them", []string{`{"name": "x", "count": 5.0, "big": 1e+15}`}, func(s *settings) { s.Count, s.Big = 5, 1e15 }},
		{"numbers from variables", []string{`{name: x, count: "${N}", rate: "0.${N}", on: "${T}", wait: "${W}"}`}, func(s *settings) { s.Count, s.Rate, s.Wait = 7, 0.7, 2*time.Second }},
		{"false over a default", []string{"{name: x, on: false, rate: 0}"}, func(s *settings) { s.On, s.Rate = false, 0 }},
		{"null leaves the default", []string{"{name: x, on: null, mode: ~, pointer: null}"}, func(*settings) {}},
		{"split text", []string{"{name: x, hosts: 'a, b'}"}, func(s *settings) { s.Hosts = []string{"a", "b"} }},
		{"split as a list", []string{"{name: x, hosts: [a, b]}"}, func(s *settings) { s.Hosts = []string{"a", "b"} }},
		{"split as Lua's empty list", []string{`{"name":"x","hosts":{}}`}, func(s *settings) { s.Hosts = []string{} }},
		{"an empty list over a default", []string{"{name: x, scopes: []}"}, func(s *settings) { s.Scopes = []string{} }},
		{"secrets", []string{"{name: x, secret: abc, headers: {a: b}}"}, func(s *settings) {
			s.Secret, s.Headers = keg.NewSecret("abc"), map[string]keg.Secret{"a": keg.NewSecret("b")}
		}},
		{"nested", []string{"{name: x, plain: {ca: c, level: 9}, pointer: {ca: d}, many: [{ca: e}, {ca: f, level: 1}]}"}, func(s *settings) {
			s.Plain, s.Pointer, s.Many = inner{"c", 9}, &inner{"d", 3}, []inner{{"e", 3}, {"f", 1}}
		}},
		{"layers: the last wins", []string{"{name: y, count: 1, mode: slow}", "{name: x, count: 2}"}, func(s *settings) { s.Count, s.Mode = 2, "slow" }},
		{"layers: structs key by key", []string{"{pointer: {ca: c, level: 5}}", "{name: x, pointer: {level: 6}}"}, func(s *settings) { s.Pointer = &inner{"c", 6} }},
		{"layers: lists and maps whole", []string{"{headers: {a: b}, hosts: [a]}", "{name: x, headers: {c: d}, hosts: [b]}"}, func(s *settings) {
			s.Hosts, s.Headers = []string{"b"}, map[string]keg.Secret{"c": keg.NewSecret("d")}
		}},
		{"layers: null leaves what is below", []string{"{name: x, count: 1}", "{count: null}"}, func(s *settings) { s.Count = 1 }},
		{"an alias", []string{"{name: &n x, mode: fast, plain: {ca: *n}}"}, func(s *settings) { s.Plain.CA = "x" }},
	} {
		t.Run(c.says, func(t *testing.T) {
			got, err := decode(t, c.layers...)
			if err != nil {
				t.Fatal(err)
			}
			want := defaults()
			c.want(&want)
			if diff := cmp.Diff(want, got, sameSettings, cmp.AllowUnexported(settings{})); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStructProblems(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"{}", "f:1:1: name: is required"},
		{"{name: null}", "f:1:1: name: is required"},
		{"{name: ''}", "f:1:8: name: must not be empty"},
		{"[a]", "f:1:1: must be a mapping of keys to values, not a list"},
		{"{name: [a]}", "f:1:8: name: must be a string, not a list"},
		{"{name: {a: b}}", "f:1:8: name: must be a string, or {file: path}; not another mapping"},
		{"{name: 1}", "f:1:8: name: must be a string: write 1 in quotes"},
		{"{name: x, secret: 12345}", "f:1:19: secret: must be a string: put it in quotes"},
		{"{name: x, mode: fsat}", `f:1:17: mode: must be one of fast, slow, not "fsat" (did you mean "fast"?)`},
		{"{name: x, count: 0}", "f:1:18: count: must be at least 1"},
		{"{name: x, count: 101}", "f:1:18: count: must be at most 100"},
		{"{name: x, count: 1.5}", `f:1:18: count: must be a whole number in plain decimal digits, not "1.5"`},
		{"{name: x, count: 0x10}", `f:1:18: count: must be a whole number in plain decimal digits, not "0x10"`},
		{"{name: x, count: '5'}", `f:1:18: count: must be a whole number, not "5"`},
		{"{name: x, count: true}", `f:1:18: count: must be a whole number, not true`},
		{"{name: x, big: 1e300}", `f:1:16: big: must be a whole number in plain decimal digits, not "1e300"`},
		{"{name: x, rate: 2}", "f:1:17: rate: must be at most 1"},
		{"{name: x, rate: .nan}", `f:1:17: rate: must be a plain decimal number, not ".nan"`},
		{"{name: x, on: 'true'}", `f:1:15: on: must be true or false, not "true"`},
		{"{name: x, on: '${N}'}", `f:1:15: on: must be true or false, not what ${N} holds`},
		{"{name: x, wait: 10}", `f:1:17: wait: must be a duration with its unit, such as "10s", not the number 10`},
		{"{name: x, wait: -1s}", `f:1:17: wait: must not be negative`},
		{"{name: x, wait: 2h}", `f:1:17: wait: must be at most 1h`},
		{"{name: x, hosts: 5}", `f:1:18: hosts: must be a string: write 5 in quotes`},
		{"{name: x, scopes: a}", `f:1:19: scopes: must be a list, not "a"`},
		{"{name: x, scopes: [a, null]}", `f:1:23: scopes[1]: must not be null`},
		{"{name: x, headers: {a: null}}", `f:1:24: headers.a: must not be null`},
		{"{name: x, headers: [a]}", `f:1:20: headers: must be a mapping of keys to values, not a list`},
		{"{name: x, pointer: {}}", `f:1:20: pointer.ca: is required`},
		{"{name: x, pointer: {cA: x}}", "f:1:20: pointer.ca: is required\nf:1:21: pointer.cA: unknown key (did you mean \"ca\"?)"},
		{"{name: x, many: [{ca: x}, {level: 10}]}", "f:1:27: many[1].ca: is required\nf:1:35: many[1].level: must be at most 9"},
		{"{name: x, zzz: 1}", `f:1:11: zzz: unknown key`},
		{"{name: x, on: true, on: false}", `f:1:21: on: the key stands here twice; first on line 1`},
		{"{name: wrong, hosts: [a, bad], pointer: {ca: bad}}", "f:1:8: name: \"wrong\" is wrong\nf:1:26: hosts[1]: is bad\nf:1:46: pointer.ca: is bad"},
		{"{name: x, count: 13}", "f:1:1: rate: is needed with 13\nf:1:1: is unlucky"},
		{"{name: x, \"new\\nline\": 1}", `f:1:11: new line: unknown key`},
	} {
		t.Run(c.text, func(t *testing.T) {
			_, err := decode(t, c.text)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestPartialAsksForNothing(t *testing.T) {
	p, err := Read("f", []byte("{count: 0, name: wrong, pointer: {level: 2}}"))
	if err != nil {
		t.Fatal(err)
	}
	d := NewDecoder("f", Options{})
	d.Partial([]any{&settings{}}, p)
	if got := d.Err(); got == nil || got.Error() != "f:1:9: count: must be at least 1" {
		t.Errorf("got %v", got)
	}
}

func TestMasking(t *testing.T) {
	d := NewDecoder("f", Options{})
	for _, v := range []string{"s3cret-host.example:9092", "ab", "", "x"} {
		d.reveal(v)
	}
	for message, want := range map[string]string{
		`"s3cret-host.example:9092" is no URL`:      `"***" is no URL`,
		`dial s3cret-host.example: port 9092 is no`: `dial ***: port *** is no`,
		`the host alone`:          `the *** alone`,
		`"ab" and cab, x and axe`: `"***" and cab, *** and axe`,
		`nothing of it`:           `nothing of it`,
	} {
		if got := d.masked(message); got != want {
			t.Errorf("%s: %s, want %s", message, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"max_attempts", "backoff", "max_backoff", "topic", "address"}
	for word, want := range map[string]string{
		"maxAttempts": "max_attempts", "max-attempts": "max_attempts", "tpoic": "topic", "adress": "address", "BACKOFF": "backoff",
		"zzz": "", "": "", strings.Repeat("a", 100_000): "",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("%.20q: %q, want %q", word, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for text, good := range map[string]bool{
		"0": true, "-0": true, "1.5e+3": true, "1E400": true, "9007199254740993": true,
		"": false, "01": false, "+1": false, "1.": false, ".5": false, "0x1": false, "1_0": false, "NaN": false, "Inf": false, " 1": false,
		strings.Repeat("1", 2000): false,
	} {
		if _, got := Number(text); got != good {
			t.Errorf("%.20q: %v", text, got)
		}
	}
}

func TestWrongTagsPanic(t *testing.T) {
	for says, into := range map[string]any{
		"unknown flag": &struct {
			A string `keg:"a,reqired"`
		}{},
		"no key": &struct {
			A string `keg:",required"`
		}{},
		"wrong default": &struct {
			A int `keg:"a" default:"x"`
		}{},
		"unexported": &struct {
			a string `keg:"a"`
		}{},
		"a default's type": &struct {
			A []int `keg:"a" default:"1"`
		}{},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", says)
				}
			}()
			SchemaOf(into)
		}()
	}
}
