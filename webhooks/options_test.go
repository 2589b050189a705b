package webhooks_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/webhooks"
)

func TestOptionsThatCannotBe(t *testing.T) {
	const marker = "c2VjcmV0LW9mLXRoZS10ZXN0"
	header := webhooks.HMACOptions{Header: "X-Signature"}
	for _, test := range []struct {
		name    string
		options webhooks.Options
		want    []string
	}{
		{"no scheme", webhooks.Options{Secrets: secrets(marker)}, []string{"scheme: must be one of standard-webhooks, github, stripe, slack, hmac"}},
		{"no secret", webhooks.Options{Scheme: webhooks.GitHub}, []string{"secrets: needs at least one"}},
		{"an empty secret", webhooks.Options{Scheme: webhooks.GitHub, Secrets: secrets(marker, "")}, []string{"secrets: secret 2 is empty"}},
		{"many secrets", webhooks.Options{Scheme: webhooks.GitHub, Secrets: secrets(strings.Split(strings.Repeat(marker+" ", 9), " ")...)}, []string{"at most 8"}},
		{"a huge secret", webhooks.Options{Scheme: webhooks.Slack, Secrets: secrets(strings.Repeat(marker, 1000))}, []string{"longer than 4096"}},
		{"no prefix", webhooks.Options{Scheme: webhooks.Standard, Secrets: secrets(marker)}, []string{"must begin with whsec_"}},
		{"no base64", webhooks.Options{Scheme: webhooks.Standard, Secrets: secrets("whsec_"+marker+"!", "whpk_"+marker)},
			[]string{"secret 1 must be 24 to 64 bytes in base64", "secret 2 must be the 32 bytes"}},
		{"a short secret", webhooks.Options{Scheme: webhooks.Standard, Secrets: secrets("whsec_YWJj")}, []string{"24 to 64 bytes"}},
		{"a private key", webhooks.Options{Scheme: webhooks.Standard, Secrets: secrets("whsk_" + marker)}, []string{"which only the sender may have"}},
		{"a tolerance without a time", webhooks.Options{Scheme: webhooks.GitHub, Secrets: secrets(marker), Tolerance: time.Minute}, []string{"tolerance: has no use with github"}},
		{"a tolerance without its header", webhooks.Options{Scheme: webhooks.HMAC, Secrets: secrets(marker), HMAC: header, Tolerance: time.Minute}, []string{"tolerance: needs timestamp_header"}},
		{"a tolerance beyond a day", webhooks.Options{Scheme: webhooks.Slack, Secrets: secrets(marker), Tolerance: 25 * time.Hour}, []string{"tolerance: must be at most 24h"}},
		{"another scheme's options", webhooks.Options{Scheme: webhooks.GitHub, Secrets: secrets(marker), HMAC: webhooks.HMACOptions{Header: "X-A", Encoding: "hex", Prefix: "v="}},
			[]string{"header: is for the scheme hmac only", "encoding: is for", "prefix: is for"}},
		{"an HMAC without a header", webhooks.Options{Scheme: webhooks.HMAC, Secrets: secrets(marker)}, []string{"header: is required"}},
		{"everything wrong at once", webhooks.Options{Scheme: webhooks.HMAC, HMAC: webhooks.HMACOptions{Header: "a b", TimestampHeader: "a\nb", Algorithm: "md5", Encoding: "base32"}},
			[]string{"secrets: ", "header: is no name", "timestamp_header: is no name", "algorithm: ", "encoding: "}},
		{"one header for two", webhooks.Options{Scheme: webhooks.HMAC, Secrets: secrets(marker), HMAC: webhooks.HMACOptions{Header: "X-A", TimestampHeader: "x-a"}}, []string{"timestamp_header: must be another"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := webhooks.New(test.options)
			if err == nil {
				t.Fatal("taken")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v; want %q", err, want)
				}
			}
			for _, problem := range keg.Problems(err) {
				var field *keg.FieldError
				if !errors.As(problem, &field) {
					t.Errorf("%v has no path", problem)
				}
			}
			if strings.Contains(err.Error(), marker) {
				t.Errorf("%v tells a secret", err)
			}
		})
	}
}
