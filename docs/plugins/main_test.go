package main

import (
	"os"
	"strings"
	"testing"

	"github.com/kong/keg/kong/schema"
	"github.com/kong/keg/kong/server"
)

func TestThePagesAreWhatTheSchemasSay(t *testing.T) {
	for _, p := range served() {
		t.Run(p.Name, func(t *testing.T) {
			page, err := os.ReadFile(p.Name + ".md")
			if err != nil {
				t.Fatal(err)
			}
			made, err := renew(string(page), p)
			if err != nil {
				t.Fatal(err)
			}
			if made != string(page) {
				t.Error("the page is of another schema: go generate ./docs/plugins")
			}
			for _, part := range []string{"# " + p.Name + "\n", "\n## Fields\n", "\n## Examples\n", "\n## Kong Enterprise\n", "\n```yaml\n", "curl ", "deck "} {
				if !strings.Contains(made, part) {
					t.Errorf("the page has no %q", part)
				}
			}
		})
	}
}

type probeConfig struct {
	Servers []struct {
		Host string `kong:"host,required" doc:"The host's name."`
		Port int    `kong:"port" default:"9092" between:"0,65535" doc:"The host's port."`
	} `kong:"servers" len_min:"1" doc:"Where the cluster is."`
	Auth *struct {
		Mechanism string `kong:"mechanism" one_of:"PLAIN,SCRAM" doc:"How it says who it is."`
		Password  string `kong:"password,referenceable,encrypted" doc:"What a|b knows alone."`
	} `kong:"auth" doc:"Who the client is."`
	Maps  map[string]string `kong:"maps" doc:"Names to *other* <names>."`
	Fails bool              `kong:"fails" default:"true" doc:"Whether it does."`
	Lua   string            `kong:"lua" refused:"cannot be used: there is no Lua here" doc:"A program. Not supported."`
}

func (*probeConfig) EntityChecks() []schema.EntityCheck {
	return []schema.EntityCheck{
		schema.AtLeastOneOf("servers", "maps"),
		schema.MutuallyRequired("servers", "auth"),
		schema.If("fails", schema.Is(true), "auth", schema.IsSet()),
		schema.IfAtLeastOneOf("fails", schema.Is(true, false), "maps", "auth"),
	}
}

func TestATableOpensRecordsAndTellsRules(t *testing.T) {
	p, err := schema.Of("probe", &probeConfig{})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"| field under `config` | type | default | meaning |",
		"|---|---|---|---|",
		"| `servers` | array of record |  | Where the cluster is. At least 1 long. |",
		"| `servers[].host` | string | required | The host's name. |",
		"| `servers[].port` | integer | `9092` | The host's port. From 0 to 65535. |",
		"| `auth` | record |  | Who the client is. |",
		"| `auth.mechanism` | string |  | How it says who it is. One of `PLAIN`, `SCRAM`. |",
		"| `auth.password` | string |  | What a\\|b knows alone. May be a vault reference. |",
		"| `maps` | map of string |  | Names to \\*other\\* \\<names>. |",
		"| `fails` | boolean | `true` | Whether it does. |",
		"| `lua` | string |  | A program. Not supported. **Refused**: cannot be used: there is no Lua here. |",
		"",
		"- At least one of `servers`, `maps` is set.",
		"- `servers`, `auth` are set together or not at all.",
		"- Where `fails` is `true`, `auth` is set.",
		"- Where `fails` is one of `true`, `false`, at least one of `maps`, `auth` is set.",
		"",
	}, "\n")
	if got := table(p); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestARuleWithoutWordsIsShown(t *testing.T) {
	for _, rule := range []string{`{"odd":"rule"}`, `{"arithmetically":["a","b"]}`, `{"odd":{"if_field":"a"}}`} {
		if got := inWords([]byte(rule), ""); got != "`"+rule+"`" {
			t.Errorf("%s: %s", rule, got)
		}
	}
}

func TestAPageKeepsWhatIsWrittenByHand(t *testing.T) {
	p := server.Plugin{Name: "probe", Priority: 7, Phases: []server.Phase{server.Access, server.Log}, Config: func() any { return &probeConfig{} }}
	made, err := renew("before\n"+begin+"old\n"+end+"after\n", p)
	if err != nil || !strings.HasPrefix(made, "before\n"+begin) || !strings.HasSuffix(made, end+"after\n") || strings.Contains(made, "old") ||
		!strings.Contains(made, "Priority 7; phases: `access`, `log`.") {
		t.Errorf("%v\n%s", err, made)
	}
	if again, err := renew(made, p); err != nil || again != made {
		t.Errorf("a second time it is another: %v\n%s", err, again)
	}
	for _, page := range []string{"", begin, end, end + begin} {
		if _, err := renew(page, p); err == nil {
			t.Errorf("%q passed", page)
		}
	}
}
