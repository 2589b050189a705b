package plugins_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
	"github.com/kong/keg/kong/gateway/declarative"
	"github.com/kong/keg/kong/server"
	"github.com/kong/keg/plugins"
	"github.com/kong/keg/sinks"
)

// kongsLoader reads kong.yml with the schemas that Kong is told of.
func kongsLoader(t testing.TB) *declarative.Loader {
	t.Helper()
	l := &declarative.Loader{Schemas: map[string]*declarative.Schema{}}
	for _, name := range []string{"kafka-upstream", "kafka-log"} {
		p, _ := plugins.ByName(name, plugins.Options{Version: "1"})
		dump, err := server.Dump(p, "/run/keg.socket")
		if err != nil {
			t.Fatal(err)
		}
		var document struct {
			Plugins []struct{ Schema json.RawMessage }
		}
		if err := json.Unmarshal(dump, &document); err != nil {
			t.Fatal(err)
		}
		if l.Schemas[name], err = declarative.ParseSchema(document.Plugins[0].Schema); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// kongSays is what Kong's Admin API has against a plugin, "" where it takes it.
func kongSays(t testing.TB, l *declarative.Loader, plugin, config string) string {
	t.Helper()
	var entity map[string]any
	if err := json.Unmarshal(fmt.Appendf(nil, `{"name":%q,"config":%s}`, plugin, config), &entity); err != nil {
		t.Fatal(err)
	}
	err := l.Check(declarative.KindOf("plugins"), entity)
	if err == nil {
		return ""
	}
	refused, ok := errors.AsType[*declarative.Error](err)
	if !ok {
		t.Fatal(err)
	}
	return strings.Join(refused.Lines(), "\n")
}

// enterprise loads a file that was written for Kong Enterprise, and starts its
// plugins. It returns the destinations by plugin.
func enterprise(t *testing.T, file string) map[string]*keg.Destination {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	config, err := kongsLoader(t).Load(text)
	if err != nil {
		t.Fatalf("Kong would refuse it: %v", err)
	}
	k := newKong(t, plugins.Options{})
	got := map[string]*keg.Destination{}
	for _, p := range config.Plugins {
		document := p.PluginConfig(func(string) (string, bool) { return "", false }, func(string, error) {})
		if _, ok := k.startOf(t, p.Name, string(document)); !ok {
			t.Fatalf("%s was not started: %s", p.Name, k.log)
		}
		got[p.Name] = k.sinks.destinations[len(k.sinks.destinations)-1]
	}
	if strings.Contains(k.log.String(), "s3cr3t") || strings.Contains(k.log.String(), "word") {
		t.Errorf("the log tells a secret: %s", k.log)
	}
	return got
}

func TestAFileOfKongEnterprise34IsTakenAsItIs(t *testing.T) {
	got := enterprise(t, "testdata/enterprise/3.4.yml")
	hidden := cmp.Comparer(func(a, b keg.Secret) bool { return a.Reveal() == b.Reveal() })
	want := &keg.Destination{
		Type: "kafka", Name: "kafka://127.0.0.1:9092/kong-upstream", Timeout: 10 * time.Second, Format: keg.FormatRaw,
		Retry: keg.Retry{MaxAttempts: 10, Backoff: 100 * time.Millisecond, MaxBackoff: 100 * time.Millisecond, MaxAge: 24 * time.Hour},
		Settings: &sinks.Kafka{
			Address: []string{"127.0.0.1:9092"}, Topic: "kong-upstream", Acks: "leader", Compression: "none", Idempotent: true, ClientID: "keg",
			MaxMessageBytes: 1 << 20, MaxBatchRecords: 200, AckTimeout: 2 * time.Second, TLS: &sinks.TLS{},
			SASL: &sinks.SASL{Mechanism: "SCRAM-SHA-512", Username: "kong", Password: keg.NewSecret("pa$${ss}${HOME}word")},
		},
	}
	if diff := cmp.Diff(want, got["kafka-upstream"], hidden); diff != "" {
		t.Error(diff)
	}
	if log := got["kafka-log"].Settings.(*sinks.Kafka); log.Acks != "all" || log.Topic != "kong-log" || log.TLS != nil || log.SASL != nil {
		t.Errorf("%+v", log)
	}
}

func TestAFileOfKongEnterprise316IsTakenAsItIs(t *testing.T) {
	got := enterprise(t, "testdata/enterprise/3.16.yml")
	hidden := cmp.Comparer(func(a, b keg.Secret) bool { return a.Reveal() == b.Reveal() })
	want := &sinks.Kafka{
		Address: []string{"127.0.0.1:9092", "[::1]:9093"}, Topic: "{kafkatopic}", Key: "{kafkakey}", Acks: "none", Compression: "lz4", Idempotent: true,
		ClientID: "keg", MaxMessageBytes: 1 << 20, MaxBatchRecords: 200, AckTimeout: 2 * time.Second, TLS: &sinks.TLS{InsecureSkipVerify: true},
		SASL: &sinks.SASL{
			Mechanism: "OAUTHBEARER", TokenURL: "https://idp.internal/token", ClientID: "kong", ClientSecret: keg.NewSecret("s3cr3t"), Scopes: []string{"kafka"},
			Extensions: map[string]string{"logicalCluster": "lkc-1", "identityPoolId": "pool-1"},
		},
	}
	if diff := cmp.Diff(want, got["kafka-upstream"].Settings, hidden); diff != "" {
		t.Error(diff)
	}
}

// TestWhatCannotBeHonouredIsRefusedByName, by Kong's Admin API and where an
// instance starts.
func TestWhatCannotBeHonouredIsRefusedByName(t *testing.T) {
	const base = `"bootstrap_servers":[{"host":"127.0.0.1","port":9092}],"topic":"t"`
	loader := kongsLoader(t)
	for _, test := range []struct{ plugin, config, field, remedy string }{
		{"kafka-upstream", `"message_by_lua_functions":["return function(m) return m end"]`, "message_by_lua_functions", "event-router with a transform"},
		{"kafka-log", `"custom_fields_by_lua":{"a":"return 1"}`, "custom_fields_by_lua", "custom_fields of event-log"},
		{"kafka-upstream", `"schema_registry":{"confluent":{"url":"http://registry"}}`, "schema_registry.confluent", "remove it"},
		{"kafka-log", `"schema_registry":{"confluent":{"url":"http://registry"}}`, "schema_registry.confluent", "remove it"},
		{"kafka-upstream", `"security":{"ssl":true,"certificate_id":"fd3a8b4c-0c1f-4f0c-8a39-0b8c0e0a7c11"}`, "security.certificate_id", "security.certificate and security.key"},
		{"kafka-upstream", `"authentication":{"tokenauth":true}`, "authentication.tokenauth", "a user and a password"},
		{"kafka-upstream", `"authentication":{"oauthbearer":{"token_endpoint_tls_verify":false}}`, "authentication.oauthbearer.token_endpoint_tls_verify", "one that the system trusts"},
	} {
		t.Run(test.plugin+" "+test.field, func(t *testing.T) {
			config := "{" + base + "," + test.config + "}"
			if said := kongSays(t, loader, test.plugin, config); !strings.HasPrefix(said, "config."+test.field+": cannot be ") || !strings.Contains(said, test.remedy) {
				t.Errorf("Kong says %q", said)
			}
			k := newKong(t, plugins.Options{})
			if _, ok := k.startOf(t, test.plugin, config); ok || !strings.Contains(k.log.String(), test.field+" cannot be ") || !strings.Contains(k.log.String(), test.remedy) {
				t.Errorf("started %v, %s", ok, k.log)
			}
		})
	}
}

func TestKafkaConfigsThatCannotBe(t *testing.T) {
	const servers = `"bootstrap_servers":[{"host":"kafka","port":9092}]`
	tests := map[string]struct {
		plugin, config string
		want           []string // in the log
		admin          string   // in what Kong's Admin API says; "": it takes it
	}{
		"no broker": {"kafka-log", `{"bootstrap_servers":[],"topic":"t"}`, []string{"config.bootstrap_servers: needs at least one broker"}, "length must be at least 1"},
		"all of it at once": {"kafka-upstream", `{"bootstrap_servers":[{"host":"a/b","port":9092}],"topic":"a b","forward_body":false,"allowed_topics":["x/y"],"headers":{"name_mappings":{"a":"b c"}}}`,
			[]string{"config.bootstrap_servers[1]: must be host:port", "config.topic: ", "config.forward_body: at least one of", "config.allowed_topics[1]: ", `config.headers.name_mappings: \"b c\"`}, "invalid value: a b"},
		"nothing to forward": {"kafka-upstream", `{` + servers + `,"topic":"t","forward_body":false}`, []string{"at least one of forward_method"}, ""},
		"sasl without a mechanism": {"kafka-upstream", `{` + servers + `,"topic":"t","authentication":{"strategy":"sasl"}}`,
			[]string{"config.authentication.mechanism: is required"}, "failed conditional validation given value of field 'strategy'"},
		"PLAIN without a password": {"kafka-upstream", `{` + servers + `,"topic":"t","authentication":{"strategy":"sasl","mechanism":"PLAIN","user":"u"}}`,
			[]string{"config.authentication: needs user and password"}, "failed conditional validation given value of field 'mechanism'"},
		"OAUTHBEARER without a URL": {"kafka-log", `{` + servers + `,"topic":"t","authentication":{"strategy":"sasl","mechanism":"OAUTHBEARER","oauthbearer":{"client_id":"c"}}}`,
			[]string{"token_endpoint_url: must be an http or https URL", "needs client_id and client_secret"}, ""},
		"an extension that would forge": {"kafka-log", `{` + servers + `,"topic":"t","authentication":{"strategy":"sasl","mechanism":"OAUTHBEARER","oauthbearer":{"client_id":"c","client_secret":"s3cr3t","token_endpoint_url":"https://idp","extensions":{"auth":"x"}}}}`,
			[]string{"config.authentication.oauthbearer.extensions: "}, ""},
		"a certificate without its key": {"kafka-upstream", `{` + servers + `,"topic":"t","security":{"ssl":true,"certificate":"/c.pem"}}`,
			[]string{"config.security: has only one of certificate and key"}, "all or none of these fields must be set: 'certificate', 'key'"},
		"a certificate without TLS": {"kafka-upstream", `{` + servers + `,"topic":"t","security":{"ca":"/ca.pem"}}`,
			[]string{"config.security.ssl: must be true"}, "failed conditional validation given value of field 'ca'"},
	}
	loader := kongsLoader(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			k := newKong(t, plugins.Options{})
			if _, ok := k.startOf(t, test.plugin, test.config); ok {
				t.Fatal("started")
			}
			for _, want := range test.want {
				if !strings.Contains(k.log.String(), want) {
					t.Errorf("the log does not say %q: %s", want, k.log)
				}
			}
			if strings.Contains(k.log.String(), "s3cr3t") {
				t.Error("the log tells a secret")
			}
			if said := kongSays(t, loader, test.plugin, test.config); (said == "") != (test.admin == "") || !strings.Contains(said, test.admin) {
				t.Errorf("Kong says %q, want %q", said, test.admin)
			}
		})
	}
}
