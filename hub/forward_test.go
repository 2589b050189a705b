package hub

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

func TestForwardedHeaders(t *testing.T) {
	headers := func() keg.Headers {
		return keg.Headers{
			"authorization": {"Bearer s3cret"}, "cookie": {"a=b"}, "x-tenant": {"7", "8"}, "keg-dlq-reason": {"forged"},
			"connection": {"close, X-Hop"}, "x-hop": {"1"},
		}
	}
	tests := []struct {
		name  string
		names []string
		want  keg.Headers
	}{
		{"none is forwarded unless it is named", nil, nil},
		{"a named one, with all its values, whatever the case", []string{"X-Tenant"}, keg.Headers{"x-tenant": {"7", "8"}}},
		{"credentials when they are named", []string{"authorization", "x-tenant"},
			keg.Headers{"authorization": {"Bearer s3cret"}, "x-tenant": {"7", "8"}}},
		{"one that Connection names is of one hop, named or not", []string{"x-hop"}, nil},
		{"one that is absent is no header", []string{"x-absent"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, err := parseForward(test.names)
			if err != nil {
				t.Fatal(err)
			}
			e := event("1")
			e.Headers = headers()
			got := f.strip(e)
			if diff := cmp.Diff(test.want, got.Headers); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(headers(), e.Headers); diff != "" {
				t.Errorf("the caller's event was changed:\n%s", diff)
			}
			if got.ID != e.ID || string(got.Data) != string(e.Data) {
				t.Error("more than the headers was changed")
			}
		})
	}
}

func TestHeadersThatCannotBeForwarded(t *testing.T) {
	for _, name := range []string{"*", "", "x y", "x:y", "X\r\nY", "Connection", "transfer-encoding", "Host", "content-type", "CE-id", "ce_id", "Expect", "http2-settings", "digest", "Keg-Dlq-Reason", "Keg-Hops"} {
		t.Run(name, func(t *testing.T) {
			_, err := parseForward([]string{"x-fine", name})
			if err == nil {
				t.Fatal("accepted")
			}
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("%q goes over two lines", err)
			}
		})
	}
}

func TestAnEntryThatChoosesItsHeadersKeepsThemAll(t *testing.T) {
	k := newKit(t, Options{})
	p := k.port(t, PortOptions{Table: all(t, "a"), ForwardAll: true})
	e := event("1")
	e.Headers = keg.Headers{"host": {"shop"}, "x-tenant": {"a", "b"}}
	if r := p.Publish(t.Context(), e)[0]; r.Err != nil {
		t.Fatal(r.Err)
	}
	if got := k.got("a")[0].Headers; len(got["host"]) != 1 || len(got["x-tenant"]) != 2 {
		t.Errorf("%v", got)
	}
}
