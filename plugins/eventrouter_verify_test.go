package plugins_test

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	webhookslib "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/kong/keg"
	"github.com/kong/keg/plugins"
)

// planted are secrets that must not be seen anywhere.
const (
	plantedHMAC     = "planted-hmac-s3cret"
	plantedOld      = "planted-old-s3cret"
	plantedStandard = "whsec_cGxhbnRlZC1zdGFuZGFyZC1zM2NyZXQ="
)

var everything = all("a")

func verifying(scheme string, secrets ...string) string {
	quoted := `"` + strings.Join(secrets, `","`) + `"`
	return fmt.Sprintf(`{%s,"verify":{"scheme":%q,"secrets":[%s]}}`, everything, scheme, quoted)
}

func hexMAC(secret, text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// The requests of providers, signed with a secret now.

func fromGitHub(secret, body string) request {
	return structured("application/json", body).with("x-hub-signature-256", "sha256="+hexMAC(secret, body)).
		with("x-github-event", "push").with("x-github-delivery", "d-1")
}

func fromStripe(secret, body string, at time.Time) request {
	t := strconv.FormatInt(at.Unix(), 10)
	return structured("application/json", body).with("stripe-signature", "t="+t+",v1="+hexMAC(secret, t+"."+body))
}

func fromSlack(secret, body string) request {
	t := strconv.FormatInt(time.Now().Unix(), 10)
	return structured("application/json", body).with("x-slack-request-timestamp", t).
		with("x-slack-signature", "v0="+hexMAC(secret, "v0:"+t+":"+body))
}

func fromStandard(t *testing.T, secret, body string) request {
	signer, err := webhookslib.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signature, err := signer.Sign("msg_1", now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return structured("application/json", body).with("webhook-id", "msg_1").
		with("webhook-timestamp", strconv.FormatInt(now.Unix(), 10)).with("webhook-signature", signature)
}

func TestVerifiedWebhooksBecomeEvents(t *testing.T) {
	hmacConfig := fmt.Sprintf(`{%s,"event_type":"configured","verify":{"scheme":"hmac","secrets":[%q],"header":"X-Sig","prefix":"v=","id_header":"X-Id","type_header":"X-Topic"}}`, everything, plantedHMAC)
	github := fromGitHub(plantedHMAC, `{"ref":"main"}`)
	for _, test := range []struct {
		name, config string
		request      request
		id, kind     string
	}{
		{"GitHub", verifying("github", plantedHMAC), github, "d-1", "com.github.push"},
		{"GitHub, with the old secret", verifying("github", plantedHMAC, plantedOld), fromGitHub(plantedOld, `{}`), "d-1", "com.github.push"},
		{"a type that the request names", verifying("github", plantedHMAC), github.with("x-event-type", "t").with("x-event-id", "7"), "d-1", "t"},
		{"Stripe", verifying("stripe", plantedHMAC), fromStripe(plantedHMAC, `{"id":"evt_1","type":"charge.failed"}`, time.Now()), "evt_1", "com.stripe.charge.failed"},
		{"Slack", verifying("slack", plantedHMAC), fromSlack(plantedHMAC, `{"type":"event_callback","event_id":"Ev1","event":{"type":"message"}}`), "Ev1", "com.slack.message"},
		{"Standard Webhooks", verifying("standard-webhooks", plantedStandard), fromStandard(t, plantedStandard, `{"type":"user.created"}`), "msg_1", "user.created"},
		{"Standard Webhooks without a type", verifying("standard-webhooks", plantedStandard), fromStandard(t, plantedStandard, `{}`), "msg_1", "http.request"},
		{"an HMAC", hmacConfig, structured("text/plain", "x").with("x-sig", "v="+hexMAC(plantedHMAC, "x")).with("x-id", "9").with("x-topic", "orders/new"), "9", "orders/new"},
		{"an HMAC that names nothing", hmacConfig, structured("text/plain", "x").with("x-sig", "v="+hexMAC(plantedHMAC, "x")), "kong-1", "configured"},
		{"a CloudEvent keeps its own names", verifying("github", plantedHMAC), order("1").with("x-hub-signature-256", "sha256="+hexMAC(plantedHMAC, `{"n":1}`)), "1", "order.created"},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := newKong(t, plugins.Options{})
			id, ok := k.start(t, test.config)
			if !ok {
				t.Fatal(k.log)
			}
			if got := k.event(t, id, test.request); got.status != 200 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			if e := k.sinks.got("a")[0]; e.ID != test.id || e.Type != test.kind || string(e.Data) != test.request.body {
				t.Errorf("%+v", e)
			}
		})
	}
}

// The signature is of the bytes that were sent, also where they are packed.
func TestTheBodyIsVerifiedAsItWasSent(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte(`{"n":1}`))
	_ = w.Close()
	k := newKong(t, plugins.Options{})
	id, _ := k.start(t, verifying("github", plantedHMAC))
	r := fromGitHub(plantedHMAC, packed.String()).with("content-encoding", "gzip")
	if got := k.event(t, id, r); got.status != 200 || string(k.sinks.got("a")[0].Data) != `{"n":1}` {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestWhatIsNotVerifiedIsNoEvent(t *testing.T) {
	rejected := make(chan error, 10)
	k := newKong(t, plugins.Options{Rejected: func(_ string, err error) { rejected <- err }})
	stripe := `{"id":"evt_1","type":"charge.failed"}`
	github := fromGitHub(plantedHMAC, `{}`)
	for scheme, requests := range map[string][]request{
		"github": {order("1"), github.with("x-hub-signature-256"), fromGitHub("guessed", `{}`), github.with("content-encoding", "gzip").with("x-hub-signature-256", "sha256=00"),
			structured("application/cloudevents-batch+json", inBatch("t"))},
		"stripe":            {fromStripe(plantedHMAC, stripe, time.Now().Add(-301*time.Second)), fromStripe(plantedOld, stripe, time.Now()), github},
		"slack":             {fromSlack(plantedOld, `{"type":"url_verification","challenge":"c"}`), github},
		"standard-webhooks": {fromStandard(t, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", `{}`), github},
	} {
		secret := plantedHMAC
		if scheme == "standard-webhooks" {
			secret = plantedStandard
		}
		id, ok := k.start(t, verifying(scheme, secret))
		if !ok {
			t.Fatal(k.log)
		}
		for i, r := range requests {
			got := k.event(t, id, r)
			if got.status != 401 || got.headers.Get("Content-Type") != "application/problem+json" || !strings.Contains(got.body, scheme) {
				t.Errorf("%s %d: %d %s", scheme, i, got.status, got.body)
			}
			select {
			case err := <-rejected:
				if unverified, ok := err.(*keg.UnverifiedError); !ok || unverified.Scheme != scheme {
					t.Errorf("%s %d was counted as %v", scheme, i, err)
				}
			default:
				t.Errorf("%s %d was not counted", scheme, i)
			}
			for name, values := range r.headers {
				if strings.Contains(name, "signature") && (strings.Contains(got.body, values[0]) || strings.Contains(k.log.String(), values[0])) {
					t.Errorf("%s %d: the signature is told: %s", scheme, i, got.body)
				}
			}
		}
		if len(k.log.Lines("("+scheme+")")) != len(requests) {
			t.Errorf("the log does not name %s: %s", scheme, k.log)
		}
	}
	if n := len(k.sinks.got("a")); n != 0 {
		t.Errorf("%d events were made", n)
	}
	for _, secret := range []string{plantedHMAC, plantedOld, plantedStandard, plantedStandard[len("whsec_"):]} {
		if strings.Contains(k.log.String(), secret) {
			t.Errorf("the log tells %s", secret)
		}
	}
}

func TestSlacksChallengeIsAnswered(t *testing.T) {
	k := newKong(t, plugins.Options{})
	id, _ := k.start(t, verifying("slack", plantedHMAC))
	got := k.event(t, id, fromSlack(plantedHMAC, `{"type":"url_verification","challenge":"3eZ<b>\u0022"}`))
	if got.status != 200 || got.headers.Get("Content-Type") != "application/json" || got.body != `{"challenge":"3eZ\u003cb\u003e\""}`+"\n" {
		t.Errorf("%d %v %s", got.status, got.headers, got.body)
	}
	if n := len(k.sinks.got("a")); n != 0 {
		t.Error("a challenge became an event")
	}
}

func TestVerificationsThatCannotBe(t *testing.T) {
	for verify, want := range map[string]string{
		`{"scheme":"github","secrets":[]}`:                                             "config.verify.secrets: needs at least one secret",
		`{"scheme":"github","secrets":["` + plantedHMAC + `",""]}`:                     "config.verify.secrets: secret 2 is empty; a vault reference",
		`{"scheme":"github","secrets":["{vault://env/nope}"]}`:                         "config.verify.secrets: secret 1 is a vault reference that Kong has not resolved",
		`{"secrets":["` + plantedHMAC + `"]}`:                                          "config.verify.scheme: must be one of",
		`{"scheme":"standard-webhooks","secrets":["` + plantedHMAC + `"]}`:             "config.verify.secrets: secret 1 must begin with whsec_",
		`{"scheme":"github","secrets":["` + plantedHMAC + `"],"tolerance":60}`:         "config.verify.tolerance: has no use with github",
		`{"scheme":"hmac","secrets":["` + plantedHMAC + `"],"prefix":"x"}`:             "config.verify.header: is required",
		`{"scheme":"stripe","secrets":["` + plantedHMAC + `"],"timestamp_header":"t"}`: "config.verify.timestamp_header: is for the scheme hmac only",
	} {
		k := newKong(t, plugins.Options{})
		if _, ok := k.start(t, `{`+everything+`,"verify":`+verify+`}`); ok || !strings.Contains(k.log.String(), want) {
			t.Errorf("%s: started %v, %s", verify, ok, k.log)
		}
		if strings.Contains(k.log.String(), plantedHMAC) {
			t.Errorf("%s: the log tells the secret: %s", verify, k.log)
		}
	}
}
