package router

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

// feed stands for a source that KEG really has.
type feed struct {
	Address  string     `keg:"address,required" doc:"host:port of the broker."`
	Topics   []string   `keg:"topics,split" default:"keg.events" doc:"What is read."`
	Password keg.Secret `keg:"password" doc:"The password."`
}

func (f *feed) Label() string { return "feed://" + f.Address + "/" + strings.Join(f.Topics, ",") }
func (f *feed) Validate() error {
	if !strings.Contains(f.Address, ":") {
		return &keg.FieldError{Path: "address", Problem: "is no host:port"}
	}
	return nil
}

func withFeeds() Options {
	o := secretive()
	o.SourceTypes = []keg.SourceType{{Name: "feed", Doc: "A feed.", New: func() keg.SourceSettings { return &feed{} }}}
	return o
}

func TestSources(t *testing.T) {
	table, err := Parse("f.yaml", []byte(`
routes: []
sources:
- {type: feed, address: "a:1"}
- {type: feed, name: mine, address: "b:1", topics: [x, y], password: "${SECRET}", ack: stored, timeout: 5s, dedupe: 1h, forward_headers: [X-Tenant, traceparent]}
- {type: feed, address: "c:1", topics: "${SECRET}", forward_headers: "a,b"}
`), withFeeds())
	if err != nil {
		t.Fatal(err)
	}
	want := []keg.SourceConfig{
		{Type: "feed", Name: "feed://a:1/keg.events", Settings: &feed{Address: "a:1", Topics: []string{"keg.events"}}, Line: 4},
		{
			Type: "feed", Name: "mine", Ack: keg.AckStored, Timeout: 5 * time.Second, Dedupe: time.Hour, ForwardHeaders: []string{"X-Tenant", "traceparent"},
			Settings: &feed{Address: "b:1", Topics: []string{"x", "y"}, Password: keg.NewSecret(hidden)}, Line: 5,
		},
		{Type: "feed", Name: "feed://c:1/***", ForwardHeaders: []string{"a", "b"}, Settings: &feed{Address: "c:1", Topics: []string{hidden}}, Line: 6},
	}
	sameSecret := cmp.Comparer(func(a, b keg.Secret) bool { return a == b })
	if diff := cmp.Diff(want, table.Sources(), sameSecret); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"feed": 3}, table.Summary().Sources); diff != "" {
		t.Error(diff)
	}
}

func TestWrongSources(t *testing.T) {
	for says, c := range map[string]struct {
		text string
		want []string
	}{
		"no list":      {"x", []string{`2:10: sources: must be a list, not "x"`}},
		"no type":      {"[{address: a}]", []string{"2:11: sources[0]: needs a `type`: one of feed"}},
		"unknown type": {"[{type: fed}]", []string{`2:18: sources[0].type: unknown type of source, "fed": known are feed (did you mean "feed"?)`}},
		"wrong keys": {"[{type: feed, adress: a, ack: some, timeout: 5, dedupe: 1ms}]", []string{
			"2:11: sources[0].address: is required",
			`2:24: sources[0].adress: unknown key (did you mean "address"?)`,
			`2:40: sources[0].ack: must be one of delivered, stored, none, not "some" (did you mean "none"?)`,
			`2:55: sources[0].timeout: must be a duration with its unit, such as "10s", not the number 5`,
			`2:66: sources[0].dedupe: must be at least 1s`,
		}},
		"what the type's own rules say": {"[{type: feed, address: a}]", []string{"2:33: sources[0].address: is no host:port"}},
		"headers that cannot travel": {`[{type: feed, address: "a:1", forward_headers: ["*", Content-Type, "a b"]}]`, []string{
			`2:57: sources[0].forward_headers: "*" is no name of a header: each header is named in full`,
			`2:57: sources[0].forward_headers: "Content-Type" cannot be set: it belongs to one message, and each destination gets its own`,
			`2:57: sources[0].forward_headers: "a b" is no name of a header`,
		}},
		"a name twice": {`[{type: feed, address: "a:1", name: x}, {type: feed, address: "b:1", name: x}]`, []string{
			"2:85: sources[1].name: two sources have this name: the other one stands on line 2; give each a `name` of its own",
		}},
		"the same twice": {`[{type: feed, address: "a:1"}, {type: feed, address: "a:1"}]`, []string{
			"2:41: sources[1]: two sources have this name: the other one stands on line 2; give each a `name` of its own",
		}},
		"a name with a line break": {`[{type: feed, address: "a:1", name: "a\nb"}]`, []string{"2:46: sources[0].name: must have at most 200 bytes and no control characters"}},
	} {
		_, err := Parse("f.yaml", []byte("routes: []\nsources: "+c.text), withFeeds())
		if err == nil {
			t.Errorf("%s: no error", says)
			continue
		}
		if diff := cmp.Diff("f.yaml:"+strings.Join(c.want, "\nf.yaml:"), err.Error()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", says, diff)
		}
	}
	_, err := ParseRoutes("config.routes", []byte(`{"routes":[],"sources":[{"type":"feed","address":"a:1"}]}`), withFeeds())
	want := "config.routes:1:14: sources: belongs in the routes file of the node, which starts the sources; a plugin's routes have none"
	if err == nil || err.Error() != want {
		t.Errorf("in a plugin's routes: %v", err)
	}
}

func TestOrdered(t *testing.T) {
	table := mustParse(t, `
routes:
- {name: a, match: {}, ordered: true, destinations: [{type: http, address: a}]}
- {name: b, match: {}, destinations: [{type: http, address: a}]}
`)
	if a, b := table.Routes()[0], table.Routes()[1]; !a.Ordered || b.Ordered || table.Summary().Ordered != 1 {
		t.Errorf("%v, %v, %+v", a.Ordered, b.Ordered, table.Summary())
	}
}
