package main

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestAFlagWinsOverItsVariableAndTheVariableOverTheDefault(t *testing.T) {
	t.Setenv("KEG_RETRY_MAX_ATTEMPTS", "7")
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"variable", nil, "7"},
		{"flag", []string{"--retry-max-attempts", "9"}, "9"},
	} {
		t.Run(test.name, func(t *testing.T) {
			flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
			s := bind(flags, "serve")
			if err := flags.Parse(test.args); err != nil {
				t.Fatal(err)
			}
			if got := s.text("retry-max-attempts"); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if got := s.text("log-level"); got != "info" {
				t.Errorf("default log level is %s", got)
			}
		})
	}
}

func TestABadSettingIsCalledByTheNameItWasGivenBy(t *testing.T) {
	t.Setenv("KEG_RETRY_MAX_ATTEMPTS", "many")
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "KEG_RETRY_MAX_ATTEMPTS="},
		{[]string{"--retry-max-attempts=several"}, "--retry-max-attempts="},
	} {
		flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
		s := bind(flags, "serve")
		if err := flags.Parse(test.args); err != nil {
			t.Fatal(err)
		}
		if _, err := parse(s, "retry-max-attempts", strconv.Atoi); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%v: %v", test.args, err)
		}
	}
}

func TestTheHelpListsEveryVariableAndNoFlagTwice(t *testing.T) {
	var help bytes.Buffer
	printEnvironment(&help)
	seen := map[string]bool{}
	for _, v := range environment {
		if !strings.Contains(help.String(), v.name) {
			t.Errorf("%s is not in the help", v.name)
		}
		if v.flag != "" && seen[v.flag] {
			t.Errorf("--%s stands for two variables", v.flag)
		}
		seen[v.flag] = true
	}
}
