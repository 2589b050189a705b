package main

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kong/keg/plugins"
)

// What README.md and kong.conf tell people to write must work as it stands.

func TestTheREADMEsRoutesAreGood(t *testing.T) {
	dir := t.TempDir()
	secret, authority, file := filepath.Join(dir, "audit"), filepath.Join(dir, "ca.pem"), filepath.Join(dir, "routes.yaml")
	write(t, secret, "whsec_"+strings.Repeat("A", 43)+"=")
	server := httptest.NewTLSServer(nil)
	server.Close()
	write(t, authority, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	write(t, file, strings.NewReplacer("/run/secrets/audit", secret, "/etc/keg/ca.pem", authority).Replace(fromREADME(t, "yaml", "match:")))
	env := []string{"KAFKA_PASSWORD=secret"}
	if status, stdout, stderr := runKeg(t, env, "routes", "check", file); status != 0 {
		t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
	}
	explain := regexp.MustCompile(`(?m)^keg routes explain routes.yaml '(.*)'$`).FindStringSubmatch(fromREADME(t, "sh", "routes explain"))
	status, stdout, stderr := runKeg(t, env, "routes", "explain", file, explain[1])
	if status != 0 || !strings.Contains(stdout, "data.order.total") {
		t.Errorf("explain: exit status %d\n%s%s", status, stdout, stderr)
	}
}

func TestTheREADMEsSourcesAreGood(t *testing.T) {
	dir := t.TempDir()
	authority, file := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "routes.yaml")
	server := httptest.NewTLSServer(nil)
	server.Close()
	write(t, authority, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	text := strings.ReplaceAll(fromREADME(t, "yaml", "sources:"), "/etc/keg/ca.pem", authority)
	write(t, file, text+"routes: []\n")
	if status, stdout, stderr := runKeg(t, []string{"KAFKA_PASSWORD=secret"}, "routes", "check", file); status != 0 {
		t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
	}
}

func TestTheREADMEsKongConfigurationTakesEvents(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kong.yml")
	write(t, file, fromREADME(t, "yaml", "_format_version"))
	p := startDev(t, nil, "--kong-config", file)
	status, answer, _ := post(t, "http://"+p.proxy+"/events", "application/json", `{"event_type":"order.created"}`)
	if status != 200 || !strings.Contains(answer, "orders-to-processing") {
		t.Errorf("%d %s", status, answer)
	}
}

// A plugin that kong.conf does not name is not there for whoever starts Kong with
// it; one that keg does not serve keeps Kong from starting.
func TestKongConfNamesThePluginsThatKegServes(t *testing.T) {
	names := regexp.MustCompile(`(?m)^pluginserver_names = (.*)$`).FindStringSubmatch(readFileText(t, "../../kong/kong.conf"))
	got, want := strings.Split(names[1], ","), plugins.Names()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("kong.conf has %q, and keg serves %q", got, want)
	}
}

// nginx takes the environment from the workers that start keg, so what kong.conf
// starts must say with flags what it needs, and the flags must exist.
func TestTheCommandsOfKongConf(t *testing.T) {
	text, err := os.ReadFile("../../kong/kong.conf")
	if err != nil {
		t.Fatal(err)
	}
	for _, conf := range []string{string(text), fromREADME(t, "ini", "pluginserver_names")} {
		commands := regexp.MustCompile(`(?m)^pluginserver_event_router_(start|query)_cmd = /usr/local/bin/keg (.*)$`).FindAllStringSubmatch(conf, -1)
		if len(commands) != 2 {
			t.Fatalf("the commands: %q", commands)
		}
		for _, c := range commands {
			args := strings.Fields(c[2])
			if c[1] == "start" && !strings.Contains(c[2], "--routes ") {
				t.Errorf("keg %s: no --routes", c[2])
			}
			if status, _, stderr := runKeg(t, nil, append(args, "--help")...); status != 0 {
				t.Errorf("keg %s: %s", c[2], stderr)
			}
		}
	}
}

// fromREADME is the first block of README.md in the language that has a text.
func fromREADME(t *testing.T, language, with string) string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		if strings.Contains(block[1], with) {
			return block[1]
		}
	}
	t.Fatalf("README.md has no %s with %q", language, with)
	return ""
}
