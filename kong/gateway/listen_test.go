package gateway

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseListen(t *testing.T) {
	for text, want := range map[string][]string{
		"127.0.0.1:8000":                            {"127.0.0.1:8000"},
		"0.0.0.0:8000 reuseport backlog=16384":      {"0.0.0.0:8000"},
		"127.0.0.1:8000, [::1]:8000 ipv6only=on":    {"127.0.0.1:8000", "[::1]:8000"},
		"localhost:0 deferred bind so_keepalive=on": {"localhost:0"},
		"off":   nil,
		" off ": nil,
	} {
		got, err := ParseListen(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: want -, got +:\n%s", text, diff)
		}
	}
	for text, problem := range map[string]string{
		"":                              "an address is missing",
		"127.0.0.1:8000,":               "an address is missing",
		"8000":                          "write ADDRESS:PORT",
		":8000":                         "the address is missing",
		"127.0.0.1:http":                `"http" is no port`,
		"127.0.0.1:70000":               `"70000" is no port`,
		"127.0.0.1:8443 ssl":            "the stand-in has no ssl; Kong itself has it",
		"127.0.0.1:8000 http2":          "the stand-in has no http2",
		"127.0.0.1:8000 proxy_protocol": "the stand-in has no proxy_protocol",
		"127.0.0.1:8000 fast":           `"fast" is no flag`,
		"unix:/tmp/kong.sock":           "the stand-in listens on TCP only",
		"x, 127.0.0.1:1 ssl":            "no ssl",
		"127.0.0.1:1 http2, nonsense":   "write ADDRESS:PORT", // both are told
	} {
		if got, err := ParseListen(text); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%q: %q, %v; want %q", text, got, err, problem)
		}
	}
}
