package webhooks_test

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/webhooks"
)

func TestPublishedSignaturesVerify(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			notice, err := v.verifier(t, nil).Verify(v.headers, []byte(v.body))
			if err != nil || notice != v.notice {
				t.Errorf("%+v, %v; want %+v", notice, err, v.notice)
			}
		})
	}
}

// A secret of another kind, so that it does not verify any vector.
var another = map[webhooks.Scheme]string{webhooks.Standard: "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}

func (v vector) other() keg.Secret {
	if text, ok := another[v.options.Scheme]; ok {
		return keg.NewSecret(text)
	}
	return keg.NewSecret("another")
}

func TestWhatWasNotSignedDoesNotVerify(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			refused := func(what string, verifier *webhooks.Verifier, headers keg.Headers, body string) {
				t.Helper()
				notice, err := verifier.Verify(headers, []byte(body))
				var unverified *keg.UnverifiedError
				if !errors.As(err, &unverified) || notice != (webhooks.Notice{}) {
					t.Fatalf("%s: %+v, %v", what, notice, err)
				}
				v.tellsNothing(t, err)
			}
			right := v.verifier(t, nil)
			refused("another body", right, v.headers, v.body+" ")
			refused("no body", right, v.headers, "")
			refused("another secret", v.verifier(t, func(o *webhooks.Options) { o.Secrets = []keg.Secret{v.other()} }), v.headers, v.body)
			refused("no headers", right, nil, v.body)
			for name, values := range v.headers {
				if !v.signs(name) {
					continue
				}
				for what, changed := range map[string][]string{
					"no value": nil, "an empty one": {""}, "another": {values[0] + "0"}, "half of it": {values[0][:len(values[0])/2]},
					"twice": {values[0], values[0]}, "junk before": {"x" + values[0]}, "too long": {strings.Repeat(values[0]+",", 5000)},
				} {
					headers := maps.Clone(v.headers)
					headers[name] = changed
					if what == "another" && v.options.Scheme == webhooks.Stripe {
						headers[name] = []string{strings.Replace(values[0], ",v0", "0,v0", 1)}
					}
					refused(name+": "+what, right, headers, v.body)
				}
			}
		})
	}
}

// signs reports whether a header is a part of the signature.
func (v vector) signs(name string) bool {
	switch name {
	case "x-github-event", "x-github-delivery", "x-id", "x-topic":
		return false
	}
	return true
}

// tellsNothing holds an error against every secret and every signature.
func (v vector) tellsNothing(t *testing.T, err error) {
	t.Helper()
	for _, secret := range v.options.Secrets {
		if strings.Contains(err.Error(), secret.Reveal()) {
			t.Errorf("%v tells a secret", err)
		}
	}
	for name, values := range v.headers {
		if strings.HasSuffix(name, "signature") || strings.HasSuffix(name, "256") {
			_, signature, _ := strings.Cut(values[0], "=")
			if signature != "" && strings.Contains(err.Error(), signature) {
				t.Errorf("%v tells the signature", err)
			}
		}
	}
	if !strings.Contains(err.Error(), string(v.options.Scheme)) {
		t.Errorf("%v does not name the scheme", err)
	}
}

func TestAnyOfSeveralSecretsVerifies(t *testing.T) {
	for _, v := range vectors {
		right := v.options.Secrets[0]
		for what, secrets := range map[string][]keg.Secret{"the first": {right, v.other()}, "the second": {v.other(), right}} {
			verifier := v.verifier(t, func(o *webhooks.Options) { o.Secrets = secrets })
			if _, err := verifier.Verify(v.headers, []byte(v.body)); err != nil {
				t.Errorf("%s, %s of two: %v", v.name, what, err)
			}
		}
	}
}

func TestTolerance(t *testing.T) {
	for _, v := range vectors {
		if v.at == 0 {
			continue
		}
		for _, test := range []struct {
			tolerance, after time.Duration
			fresh            bool
		}{
			{0, 300 * time.Second, true}, {0, 301 * time.Second, false},
			{0, -300 * time.Second, true}, {0, -301 * time.Second, false},
			{time.Minute, time.Minute, true}, {time.Minute, 61 * time.Second, false},
			{time.Hour, 301 * time.Second, true}, {0, 100 * 365 * 24 * time.Hour, false},
		} {
			verifier := v.verifier(t, func(o *webhooks.Options) {
				o.Tolerance = test.tolerance
				o.Now = func() time.Time { return time.Unix(v.at, 0).Add(test.after) }
			})
			if _, err := verifier.Verify(v.headers, []byte(v.body)); (err == nil) != test.fresh {
				t.Errorf("%s, %v after, with a tolerance of %v: %v", v.name, test.after, test.tolerance, err)
			}
		}
	}
}

// The public key of v1a is known to anybody: it must not do for an HMAC.
func TestAPublicKeyIsNoSecret(t *testing.T) {
	v := vectors[1]
	headers := maps.Clone(v.headers)
	headers["webhook-signature"] = []string{strings.Replace(v.headers["webhook-signature"][0], "v1a,", "v1,", 1)}
	if _, err := v.verifier(t, nil).Verify(headers, []byte(v.body)); err == nil {
		t.Error("a signature of one version verifies as one of the other")
	}
}

func TestSignaturesAreCounted(t *testing.T) {
	for _, i := range []int{0, 4} { // Standard Webhooks, Stripe
		v := vectors[i]
		for name, values := range v.headers {
			if !strings.HasSuffix(name, "signature") {
				continue
			}
			headers := maps.Clone(v.headers)
			wrong := map[webhooks.Scheme]string{webhooks.Standard: "v1,AAAA ", webhooks.Stripe: "v1=00,"}[v.options.Scheme]
			headers[name] = []string{strings.Repeat(wrong, 15) + values[0]}
			if _, err := v.verifier(t, nil).Verify(headers, []byte(v.body)); err != nil {
				t.Errorf("%s, the last of 16: %v", v.name, err)
			}
			headers[name] = []string{strings.Repeat(wrong, 16) + values[0]}
			if _, err := v.verifier(t, nil).Verify(headers, []byte(v.body)); err == nil || !strings.Contains(err.Error(), "more than 16") {
				t.Errorf("%s: %v", v.name, err)
			}
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, v := range vectors[:5] {
		verifier, body := v.verifier(b, nil), []byte(v.body)
		b.Run(v.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := verifier.Verify(v.headers, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
