package keg_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

func TestHeadersAreFoundInAnyCase(t *testing.T) {
	h := keg.Headers{}
	h.Add("X-Tenant", "a")
	h.Add("x-tenant", "b")
	if diff := cmp.Diff([]string{"a", "b"}, h.Values("X-TENANT")); diff != "" || h.Get("X-Tenant") != "a" {
		t.Errorf("%s %q", diff, h.Get("X-Tenant"))
	}
	if h.Get("other") != "" || h.Values("other") != nil || keg.Headers(nil).Get("x") != "" {
		t.Error("a header that is not there has a value")
	}
}

func TestWhichHeadersMayTravel(t *testing.T) {
	for name, test := range map[string]struct{ oneHop, oneMessage bool }{
		"x-tenant": {}, "authorization": {}, "cookie": {}, "traceparent": {}, "webhook-id": {}, "cedar": {},
		"connection": {oneHop: true}, "transfer-encoding": {oneHop: true}, "te": {oneHop: true}, "proxy-authorization": {oneHop: true},
		"content-type": {oneMessage: true}, "content-length": {oneMessage: true}, "host": {oneMessage: true}, "expect": {oneMessage: true},
		"ce-id": {oneMessage: true}, "ce_id": {oneMessage: true},
	} {
		if keg.OneHop(name) != test.oneHop || keg.OneMessage(name) != test.oneMessage {
			t.Errorf("%s: of one hop %v, of one message %v", name, keg.OneHop(name), keg.OneMessage(name))
		}
	}
}
