package plugins_test

import (
	"strings"
	"testing"

	"github.com/kong/keg/kong/gateway"
	"github.com/kong/keg/kong/server"
	"github.com/kong/keg/plugins"
	"github.com/kong/keg/router"
	"github.com/kong/keg/sinks"
)

// What Kong can tell by the schema alone, it tells whoever writes the config,
// before any request comes.
func TestConfigsThatKongRefuses(t *testing.T) {
	p, _ := plugins.ByName("event-router", plugins.Options{Version: "1", Routes: router.Options{Types: sinks.Types()}})
	dump, err := server.Dump(p, "/run/keg.socket")
	if err != nil {
		t.Fatal(err)
	}
	const reference = `"{vault://env/a-secret}"`
	for config, want := range map[string]string{
		`{}`: "",
		`{"verify":null,"handshake":null,"secrets":null,"attributes":null}`:          "",
		`{"verify":{"scheme":"github","secrets":[` + reference + `,"literal"]}}`:     "",
		`{"verify":{"scheme":"stripe","secrets":["a"],"tolerance":60}}`:              "",
		`{"verify":{"scheme":"hmac","secrets":["a"],"header":"X-A","tolerance":60}}`: "",
		`{"secrets":{"A":` + reference + `,"B":"literal"}}`:                          "",
		`{"attributes":["consumer","route","service","client_ip"]}`:                  "",
		`{"handshake":{"allowed_origins":["*"],"rate":1}}`:                           "",
		`{"verify":{}}`:                                                 "required field missing",
		`{"verify":{"secrets":["a"]}}`:                                  "required field missing",
		`{"verify":{"scheme":"github"}}`:                                "required field missing",
		`{"verify":{"scheme":"github","secrets":[]}}`:                   "length must be at least 1",
		`{"verify":{"scheme":"gitlab","secrets":["a"]}}`:                "expected one of: standard-webhooks, github, stripe, slack, hmac",
		`{"verify":{"scheme":"stripe","secrets":["a"],"tolerance":0}}`:  "between 1 and 86400",
		`{"verify":{"scheme":"github","secrets":["a"],"tolerance":60}}`: "failed conditional validation",
		`{"verify":{"scheme":"github","secrets":["a"],"header":"X-A"}}`: "failed conditional validation",
		`{"verify":{"scheme":"hmac","secrets":["a"]}}`:                  "failed conditional validation",
		`{"verify":{"scheme":"slack","secrets":["a"],"secret":"b"}}`:    "unknown field",
		`{"secrets":{"A":7}}`:                                           "expected a string",
		`{"attributes":["password"]}`:                                   "expected one of: consumer, route, service, client_ip",
		`{"handshake":{"rate":1}}`:                                      "required field missing",
		`{"handshake":{"allowed_origins":[]}}`:                          "length must be at least 1",
	} {
		_, err := gateway.New(gateway.Options{
			Config: []byte(`{"_format_version":"3.0","plugins":[{"name":"event-router","config":` + config + `}]}`),
			Proxy:  "off", Admin: "off", Prefix: t.TempDir(),
			PluginServers: []gateway.PluginServer{{Name: "event-router", Socket: "/run/keg.socket", Dump: dump}},
		})
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", config, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", config, err, want)
		}
	}
}
