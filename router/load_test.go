package router

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

func TestDefaultsAndLayers(t *testing.T) {
	table, err := Parse("f.yaml", []byte(`
defaults:
  timeout: 5s
  retry: {max_attempts: 7, backoff: 1s}
  kafka: {retry: {max_attempts: 8}, acks: leader, topic: common, tls: {ca: default-ca}, headers: {a: b}}
routes:
- name: a
  match: {}
  retry: {max_age: 1h}
  destinations:
  - {type: kafka, address: "k:1", tls: {insecure_skip_verify: false}}
  - {type: kafka, address: "k:1", topic: own, acks: none, timeout: 1s, retry: {max_attempts: 9, max_age: 2h}, headers: {c: d}, name: mine, format: raw}
  - {type: http, address: "http://h"}
  dead_letter: {type: http, address: "http://dead"}
unmatched:
- {type: http, address: "http://rest"}
`), Options{Types: known, MaxAttempts: 4})
	if err != nil {
		t.Fatal(err)
	}
	minute, day := time.Minute, 24*time.Hour
	want := []*keg.Destination{
		{
			Type: "kafka", Name: "kafka://k:1/common", Timeout: 5 * time.Second, Format: keg.FormatBinary,
			Retry:    keg.Retry{MaxAttempts: 8, Backoff: time.Second, MaxBackoff: minute, MaxAge: time.Hour},
			Headers:  map[string]keg.Secret{"a": keg.NewSecret("b")},
			Settings: &stream{Address: []string{"k:1"}, Topic: "common", Acks: "leader", Largest: 1_000_000, TLS: &streamTLS{CA: "default-ca"}},
		},
		{
			Type: "kafka", Name: "mine", Timeout: time.Second, Format: keg.FormatRaw,
			Retry:    keg.Retry{MaxAttempts: 9, Backoff: time.Second, MaxBackoff: minute, MaxAge: 2 * time.Hour},
			Headers:  map[string]keg.Secret{"c": keg.NewSecret("d")},
			Settings: &stream{Address: []string{"k:1"}, Topic: "own", Acks: "none", Largest: 1_000_000, TLS: &streamTLS{CA: "default-ca"}},
		},
		{
			Type: "http", Name: "http://h", Timeout: 5 * time.Second, Format: keg.FormatStructured,
			Retry:    keg.Retry{MaxAttempts: 7, Backoff: time.Second, MaxBackoff: minute, MaxAge: time.Hour},
			Settings: &hook{Address: "http://h", Method: "POST", Private: true},
		},
	}
	sameSecret := cmp.Comparer(func(a, b keg.Secret) bool { return a == b })
	if diff := cmp.Diff(want, table.Routes()[0].Destinations, sameSecret); diff != "" {
		t.Errorf("destinations (-want +got):\n%s", diff)
	}
	if d := table.Routes()[0].DeadLetter; d == nil || d.Retry.MaxAge != time.Hour {
		t.Errorf("dead letter: %+v", d)
	}
	if u := table.Unmatched(); u.Reject || len(u.Destinations) != 1 || u.Destinations[0].Retry.MaxAge != day {
		t.Errorf("unmatched: %+v", u)
	}
	if diff := cmp.Diff(Summary{Routes: 1, Destinations: map[string]int{"kafka": 2, "http": 3}, Sources: map[string]int{}}, table.Summary()); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutDefaults(t *testing.T) {
	d := mustParse(t, `routes: [{name: a, match: {}, destinations: [{type: http, address: x}]}]`).Routes()[0].Destinations[0]
	want := keg.Retry{MaxAttempts: 3, Backoff: 200 * time.Millisecond, MaxBackoff: time.Minute, MaxAge: 24 * time.Hour}
	if d.Retry != want || d.Timeout != 10*time.Second || d.Format != keg.FormatStructured {
		t.Errorf("got %+v", d)
	}
}

func TestLayersShareNothing(t *testing.T) {
	table := mustParse(t, `
defaults: {kafka: {tls: {ca: x}}}
routes:
- {name: a, match: {}, destinations: [{type: kafka, address: "a:1", topic: a, tls: {ca: y}}, {type: kafka, address: "a:1", topic: b}]}
`)
	ds := table.Routes()[0].Destinations
	a, b := ds[0].Settings.(*stream), ds[1].Settings.(*stream)
	if a.TLS.CA != "y" || b.TLS.CA != "x" || a.TLS == b.TLS {
		t.Errorf("got %v and %v", a.TLS, b.TLS)
	}
}

func TestEqualDestinationsCountOnce(t *testing.T) {
	table := mustParse(t, `
routes:
- name: a
  match: {}
  destinations:
  - {type: kafka, address: "a:1,b:2", topic: t}
  - {type: kafka, address: ["a:1", "b:2"], topic: t, acks: all, timeout: 3s}
  - {type: kafka, address: "a:1,b:2", topic: t, password: s}
  - {type: kafka, address: "a:1,b:2", topic: t, format: raw}
  - {type: kafka, address: "a:1,b:2", topic: t, headers: {x: y}}
`)
	var names []string
	for _, d := range table.Routes()[0].Destinations {
		names = append(names, d.Name)
	}
	label := "kafka://a:1,b:2/t"
	if diff := cmp.Diff([]string{label, label + " #2", label + " #3", label + " #4"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestUnmatched(t *testing.T) {
	for text, want := range map[string]bool{"routes: []": false, "{routes: [], unmatched: accept}": false, "{routes: [], unmatched: reject}": true} {
		if got := mustParse(t, text).Unmatched(); got.Reject != want || len(got.Destinations) > 0 {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

func TestNeeds(t *testing.T) {
	for text, want := range map[string]Needs{
		`{type: x, tenant: y, when: id == "1"}`:                             {},
		`{headers.X-B: x, any: [{headers.a: y}, {not: {headers.c: z}}]}`:    {Headers: []string{"a", "b", "c", "x-b"}[0:0]},
		`{all: [{data.x: 1}]}`:                                              {Data: true},
		`{when: 'headers["a"] == "b"'}`:                                     {AllHeaders: true},
		`{when: has(data.x)}`:                                               {Data: true},
		`{when: 'data.x == 1 && headers.exists(h, h == "x")', type: order}`: {AllHeaders: true, Data: true},
	} {
		if strings.Contains(text, "X-B") {
			want.Headers = []string{"a", "c", "x-b"}
		}
		got := mustParse(t, "routes:\n- name: a\n  match: "+text+"\n  destinations: [{type: http, address: a}]\n- {name: off, enabled: false, match: {headers.off: x, data.off: x}, destinations: [{type: http, address: a}]}").Needs()
		if diff := cmp.Diff(fmt.Sprint(want), fmt.Sprint(got)); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

func TestAsJSONFromLua(t *testing.T) {
	for says, text := range map[string]string{
		"floats that are integers": `[{"name":"a","match":{"retries":3.0},"destinations":[{"type":"kafka","address":["a:1"],"topic":"t","max_message_bytes":1e+6,"retry":{"max_attempts":3.0}}]}]`,
		"null is absent":           `[{"name":"a","description":null,"match":{"retries":3},"final":null,"retry":null,"dead_letter":null,"destinations":[{"type":"kafka","address":"a:1","topic":"t","tls":null,"headers":null}]}]`,
		"an empty list as {}":      `[{"name":"a","match":[],"destinations":[{"type":"kafka","address":"a:1","topic":"t","headers":[]}]}]`,
		"a whole document":         `{"routes":[{"name":"a","match":{},"destinations":[{"type":"kafka","address":"a:1","topic":"t"}]}]}`,
		"escapes":                  `[{"name":"\ud83d\ude00\/","match":{},"destinations":[{"type":"kafka","address":"a:1","topic":"t"}]}]`,
	} {
		table, err := ParseRoutes("config.routes", []byte(text), Options{Types: known})
		if err != nil {
			t.Errorf("%s: %v", says, err)
			continue
		}
		if got := table.Match(orderCreated(), nil); len(got) != 1 {
			t.Errorf("%s: took %v", says, got)
		}
	}
	for _, none := range []string{`[]`, `{}`} {
		if table, err := ParseRoutes("config.routes", []byte(none), Options{Types: known}); err != nil || len(table.Routes()) != 0 {
			t.Errorf("%s: %v", none, err)
		}
	}
	_, err := ParseRoutes("config.routes", []byte("[\n\t{\"näme\": \"a\", \"match\": {\"type\": {\"prefx\": 1}}}]"), Options{Types: known})
	want := `config.routes:2:2: [0].name: is required
config.routes:2:2: [0].destinations: is required
config.routes:2:3: [0].näme: unknown key (did you mean "name"?)
config.routes:2:35: [0].match.type.prefx: unknown key (did you mean "prefix"?)`
	if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
		t.Error(diff)
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "routes.yaml")
	if _, err := Load(path, Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.WriteFile(path, []byte("routes: [{name: a}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, Options{}); err == nil || !strings.HasPrefix(err.Error(), path+":1:10: routes[0].match: is required") {
		t.Errorf("a wrong file: %v", err)
	}
	if err := os.WriteFile(path, []byte("routes: [{name: a, match: {}, destinations: [{type: http, address: a}]}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	table, err := Load(path, Options{Types: known})
	if err != nil || len(table.Routes()) != 1 || table.Routes()[0].Line != 1 {
		t.Errorf("a good file: %v, %v", table, err)
	}
}
