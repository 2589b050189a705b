package webhooks_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/kong/keg"
	"github.com/kong/keg/webhooks"
)

// FuzzVerify sends any headers and bodies to every scheme. None of them was
// signed, unless it is a vector's own.
func FuzzVerify(f *testing.F) {
	for _, v := range vectors {
		for name, values := range v.headers {
			f.Add(name, values[0], v.body)
		}
	}
	f.Add("webhook-signature", "v1,AAAA v1a,AAAA ,,, v1", "{")
	f.Add("stripe-signature", "t=,v1=,=,t", "{}")
	f.Add("x-slack-request-timestamp", "999999999999", "")
	f.Fuzz(func(t *testing.T, name, value, body string) {
		for _, v := range vectors {
			verifier := v.verifier(t, nil)
			headers := maps.Clone(v.headers)
			headers[name] = []string{value}
			for _, h := range []keg.Headers{{name: {value}}, headers} {
				_, err := verifier.Verify(h, []byte(body))
				if err == nil && body != v.body {
					t.Errorf("%s: %q: %q verifies for %q", v.name, name, value, body)
				}
				if err != nil {
					v.tellsNothing(t, err)
				}
			}
		}
	})
}

// FuzzSignedBodies reads what whoever knows the secret may send: any bytes.
func FuzzSignedBodies(f *testing.F) {
	for _, body := range []string{`{"id":"evt_1","type":"t","event":{"type":"e"},"event_id":"Ev1"}`, `{"type":"url_verification","challenge":"c"}`, `[`, "\xff"} {
		f.Add([]byte(body))
	}
	now := time.Unix(1492774577, 0)
	mac := func(before string, body []byte) string {
		h := hmac.New(sha256.New, []byte("secret"))
		h.Write([]byte(before))
		h.Write(body)
		return hex.EncodeToString(h.Sum(nil))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		headers := keg.Headers{
			"stripe-signature":          {"t=1492774577,v1=" + mac("1492774577.", body)},
			"x-slack-request-timestamp": {"1492774577"},
			"x-slack-signature":         {"v0=" + mac("v0:1492774577:", body)},
		}
		for _, scheme := range []webhooks.Scheme{webhooks.Stripe, webhooks.Slack} {
			v, err := webhooks.New(webhooks.Options{Scheme: scheme, Secrets: secrets("secret"), Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			notice, err := v.Verify(headers, body)
			if err != nil {
				t.Errorf("%s: %v", scheme, err)
			}
			if !utf8.ValidString(notice.ID + notice.Type + notice.Challenge) {
				t.Errorf("%s: %+q is no text", scheme, notice)
			}
		}
	})
}
