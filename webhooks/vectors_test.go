package webhooks_test

import (
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/webhooks"
)

// vector is a request of which the signature is published.
type vector struct {
	name    string
	options webhooks.Options
	headers keg.Headers
	body    string
	at      int64
	notice  webhooks.Notice
}

func secrets(texts ...string) []keg.Secret {
	var all []keg.Secret
	for _, text := range texts {
		all = append(all, keg.NewSecret(text))
	}
	return all
}

// vectors are the published examples: of Standard Webhooks' libraries (v1), of
// Svix, whose v1a the specification took over, of GitHub's and Slack's pages on
// verifying requests, and of RFC 4231 and RFC 2202 (HMAC). Stripe publishes
// none; its own are below, signed independently of this package.
var vectors = []vector{
	{
		name:    "Standard Webhooks v1",
		options: webhooks.Options{Scheme: webhooks.Standard, Secrets: secrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")},
		headers: keg.Headers{
			"webhook-id": {"msg_p5jXN8AQM9LWM0D4loKWxJek"}, "webhook-timestamp": {"1614265330"},
			"webhook-signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
		},
		body: `{"test": 2432232314}`, at: 1614265330,
		notice: webhooks.Notice{ID: "msg_p5jXN8AQM9LWM0D4loKWxJek"},
	},
	{
		name:    "Standard Webhooks v1a",
		options: webhooks.Options{Scheme: webhooks.Standard, Secrets: secrets("whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=")},
		headers: keg.Headers{
			"webhook-id": {"msg_p5jXN8AQM9LWM0D4loKWxJek"}, "webhook-timestamp": {"1614265330"},
			"webhook-signature": {"v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="},
		},
		body: `{"test": 2432232314}`, at: 1614265330,
		notice: webhooks.Notice{ID: "msg_p5jXN8AQM9LWM0D4loKWxJek"},
	},
	{
		name:    "GitHub",
		options: webhooks.Options{Scheme: webhooks.GitHub, Secrets: secrets("It's a Secret to Everybody")},
		headers: keg.Headers{
			"x-hub-signature-256": {"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
			"x-github-event":      {"push"}, "x-github-delivery": {"72d3162e-cc78-11e3-81ab-4c9367dc0958"},
		},
		body:   "Hello, World!",
		notice: webhooks.Notice{ID: "72d3162e-cc78-11e3-81ab-4c9367dc0958", Type: "com.github.push"},
	},
	{
		name:    "Slack",
		options: webhooks.Options{Scheme: webhooks.Slack, Secrets: secrets("8f742231b10e8888abcd99yyyzzz85a5")},
		headers: keg.Headers{
			"x-slack-request-timestamp": {"1531420618"},
			"x-slack-signature":         {"v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"},
		},
		body: "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar" +
			"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com" +
			"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
		at: 1531420618,
	},
	{
		name:    "Stripe",
		options: webhooks.Options{Scheme: webhooks.Stripe, Secrets: secrets("whsec_test_secret")},
		headers: keg.Headers{"stripe-signature": {"t=1492774577,v1=1e1dc831b58fcef04c2ca651d9c2b31b59645677beefa54af1683bd7f0e0af91,v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"}},
		body:    `{"id":"evt_1","object":"event","type":"payment_intent.succeeded","data":{"object":{"id":"pi_1","type":"other"}}}`,
		at:      1492774577,
		notice:  webhooks.Notice{ID: "evt_1", Type: "com.stripe.payment_intent.succeeded"},
	},
	{
		name: "HMAC-SHA-256 of RFC 4231, test case 2",
		options: webhooks.Options{Scheme: webhooks.HMAC, Secrets: secrets("Jefe"), HMAC: webhooks.HMACOptions{
			Header: "X-Signature", IDHeader: "X-Id", TypeHeader: "X-Topic",
		}},
		headers: keg.Headers{"x-signature": {"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"}, "x-id": {"7"}, "x-topic": {"orders/create"}},
		body:    "what do ya want for nothing?",
		notice:  webhooks.Notice{ID: "7", Type: "orders/create"},
	},
	{
		name: "HMAC-SHA-512 of RFC 4231, test case 2",
		options: webhooks.Options{Scheme: webhooks.HMAC, Secrets: secrets("Jefe"), HMAC: webhooks.HMACOptions{
			Header: "X-Signature", Algorithm: "sha512", Encoding: "base64", Prefix: "v=",
		}},
		headers: keg.Headers{"x-signature": {"v=Fkt6e/z4GeLjlfvnO1bgo4e9ZCIugx/WECcM1+olBVSXWL91wFqZSm0DT2X48Ob9yuqxo01Ka0tjbgcKOLznNw=="}},
		body:    "what do ya want for nothing?",
	},
	{
		name: "HMAC-SHA-1 of RFC 2202, test case 2",
		options: webhooks.Options{Scheme: webhooks.HMAC, Secrets: secrets("Jefe"), HMAC: webhooks.HMACOptions{
			Header: "X-Signature", Algorithm: "sha1", Prefix: "sha1=",
		}},
		headers: keg.Headers{"x-signature": {"sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"}},
		body:    "what do ya want for nothing?",
	},
	{
		name: "an HMAC with a timestamp",
		options: webhooks.Options{Scheme: webhooks.HMAC, Secrets: secrets("whsec_test_secret"), HMAC: webhooks.HMACOptions{
			Header: "X-Signature", TimestampHeader: "X-Time",
		}},
		headers: keg.Headers{"x-time": {"1492774577"}, "x-signature": {"6c96fa96d18e4bd7ca38777165f7d89e7e4253dc65694678cd2606aae0467e37"}},
		body:    `{"n":1}`, at: 1492774577,
	},
}

// verifier is one whose clock stands at the vector's time.
func (v vector) verifier(t testing.TB, change func(*webhooks.Options)) *webhooks.Verifier {
	t.Helper()
	o := v.options
	o.Now = func() time.Time { return time.Unix(v.at, 0) }
	if change != nil {
		change(&o)
	}
	verifier, err := webhooks.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}
