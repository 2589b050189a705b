package webhooks_test

import (
	"maps"
	"testing"

	"github.com/kong/keg"
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
