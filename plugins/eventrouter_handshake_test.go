package plugins_test

import (
	"strings"
	"testing"

	"github.com/kong/keg/plugins"
)

func asking(origin ...string) request {
	r := request{line: "OPTIONS /events HTTP/1.1", id: "kong-1", headers: map[string][]string{"host": {"shop.example"}}}
	if len(origin) > 0 {
		r = r.with("webhook-request-origin", origin...)
	}
	return r
}

func TestHandshake(t *testing.T) {
	const some = `"handshake":{"allowed_origins":["eventemitter.example.com","other.example"],"rate":120}`
	for _, test := range []struct {
		name, config string
		request      request
		status       int
		origin, rate string
	}{
		{"an origin that is allowed", some, asking("eventemitter.example.com"), 200, "eventemitter.example.com", "120"},
		{"in other letters", some, asking("EventEmitter.Example.com"), 200, "eventemitter.example.com", "120"},
		{"the second one, which asks for a rate", some, asking("other.example").with("webhook-request-rate", "9000"), 200, "other.example", "120"},
		{"any origin, at any rate", `"handshake":{"allowed_origins":["*"]}`, asking("x.example"), 200, "*", "*"},
		{"an origin that is not allowed", some, asking("evil.example"), 403, "", ""},
		{"a part of one", some, asking("example.com"), 403, "", ""},
		{"two origins", some, asking("eventemitter.example.com", "evil.example"), 403, "", ""},
		{"verified deliveries, whose handshake is not signed", some + `,"verify":{"scheme":"github","secrets":["s3cret"]}`, asking("other.example"), 200, "other.example", "120"},
		{"a callback is not called", some, asking("evil.example").with("webhook-request-callback", "http://169.254.169.254/"), 403, "", ""},
		{"OPTIONS that asks nothing is a request like any other", some, asking(), 200, "", ""},
		{"so is POST", some, order("1").with("webhook-request-origin", "other.example"), 200, "", ""},
		{"and all of them where it is off", `"ack":"none"`, asking("other.example"), 202, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := newKong(t, plugins.Options{})
			id, ok := k.start(t, `{`+everything+`,`+test.config+`}`)
			if !ok {
				t.Fatal(k.log)
			}
			got := k.event(t, id, test.request)
			origin, rate := got.headers.Get("Webhook-Allowed-Origin"), got.headers.Get("Webhook-Allowed-Rate")
			if got.status != test.status || origin != test.origin || rate != test.rate {
				t.Errorf("%d, origin %q, rate %q: %s", got.status, origin, rate, got.body)
			}
			if test.origin != "" && (got.body != "" || !strings.Contains(got.headers.Get("Allow"), "POST")) {
				t.Errorf("%v %s", got.headers, got.body)
			}
		})
	}
}

func TestAHandshakeIsNoEvent(t *testing.T) {
	k := newKong(t, plugins.Options{})
	id, _ := k.start(t, `{`+everything+`,"handshake":{"allowed_origins":["a.example"]}}`)
	k.event(t, id, asking("a.example"))
	k.event(t, id, asking("b.example"))
	if n := len(k.sinks.got("a")); n != 0 {
		t.Errorf("%d events were made", n)
	}
}

func TestHandshakesThatCannotBe(t *testing.T) {
	for _, origin := range []string{`""`, `"a b"`, `"a\r\nx: y"`, `"ä.example"`} {
		k := newKong(t, plugins.Options{})
		if _, ok := k.start(t, `{"handshake":{"allowed_origins":[`+origin+`]}}`); ok || !strings.Contains(k.log.String(), "config.handshake.allowed_origins: ") {
			t.Errorf("%s: started %v, %s", origin, ok, k.log)
		}
	}
}
