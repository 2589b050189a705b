package webhooks_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"testing"
	"time"

	webhookslib "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/kong/keg"
	"github.com/kong/keg/webhooks"
)

// What the official library signs, verifies here; with two secrets, too, of
// which one is known.
func TestTheOfficialLibrarysSignaturesVerify(t *testing.T) {
	const known, old = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	verifier, err := webhooks.New(webhooks.Options{Scheme: webhooks.Standard, Secrets: secrets(known)})
	if err != nil {
		t.Fatal(err)
	}
	sign := func(secret, id string, at time.Time, body string) string {
		signer, err := webhookslib.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := signer.Sign(id, at, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
	for id, body := range map[string]string{"msg_1": `{"type":"user.created","data":{"type":"no"}}`, "a.b": "", "2": "\x00\xff\r\n"} {
		now := time.Now()
		h := keg.Headers{
			"webhook-id": {id}, "webhook-timestamp": {strconv.FormatInt(now.Unix(), 10)},
			"webhook-signature": {sign(old, id, now, body) + " " + sign(known, id, now, body)},
		}
		notice, err := verifier.Verify(h, []byte(body))
		if err != nil || notice.ID != id || id == "msg_1" && notice.Type != "user.created" {
			t.Errorf("%s: %+v, %v", id, notice, err)
		}
	}
}

func TestWhatSlackAndStripeCallAnEvent(t *testing.T) {
	now := time.Unix(1492774577, 0)
	sign := func(text string) string {
		mac := hmac.New(sha256.New, []byte("secret"))
		mac.Write([]byte(text))
		return hex.EncodeToString(mac.Sum(nil))
	}
	for _, test := range []struct {
		scheme webhooks.Scheme
		body   string
		want   webhooks.Notice
	}{
		{webhooks.Slack, `{"type":"event_callback","event_id":"Ev1","event":{"type":"app_mention"}}`, webhooks.Notice{ID: "Ev1", Type: "com.slack.app_mention"}},
		{webhooks.Slack, `{"type":"app_rate_limited"}`, webhooks.Notice{Type: "com.slack.app_rate_limited"}},
		{webhooks.Slack, `{"type":"url_verification","token":"t","challenge":"3eZbrw1aB"}`, webhooks.Notice{Challenge: "3eZbrw1aB"}},
		{webhooks.Slack, `payload=%7B%7D`, webhooks.Notice{}},
		{webhooks.Slack, `{"type":["event_callback"],"event_id":7,"event":"x"}`, webhooks.Notice{}},
		{webhooks.Slack, `{"type":"a","type":"url_verification","challenge":"x"}`, webhooks.Notice{}},
		{webhooks.Stripe, `{"id":"evt_1","Type":"no","type":"charge.failed"}`, webhooks.Notice{ID: "evt_1", Type: "com.stripe.charge.failed"}},
		{webhooks.Stripe, `[]`, webhooks.Notice{}},
		{webhooks.Stripe, `{"id":"evt_1"`, webhooks.Notice{}},
		{webhooks.Stripe, ``, webhooks.Notice{}},
	} {
		verifier, err := webhooks.New(webhooks.Options{Scheme: test.scheme, Secrets: secrets("secret"), Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		got, err := verifier.Verify(keg.Headers{
			"stripe-signature":          {"t=1492774577, v1=" + sign("1492774577."+test.body)},
			"x-slack-request-timestamp": {"1492774577"},
			"x-slack-signature":         {"v0=" + sign("v0:1492774577:"+test.body)},
		}, []byte(test.body))
		if err != nil || got != test.want {
			t.Errorf("%s %s: %+v, %v", test.scheme, test.body, got, err)
		}
	}
}
