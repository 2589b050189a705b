package sinks

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/kong/keg"
)

func signingSecret(bytes int) keg.Secret {
	key := make([]byte, bytes)
	_, _ = rand.Read(key)
	return keg.NewSecret(secretPrefix + base64.StdEncoding.EncodeToString(key))
}

func signed(t *testing.T, id string, at time.Time, body string, secrets ...keg.Secret) http.Header {
	t.Helper()
	keys, err := (&HTTPSigning{Secret: secrets}).keys()
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	sign(h, keys, id, at, []byte(body))
	return h
}

func TestSignaturesSatisfyTheOfficialVerifier(t *testing.T) {
	for _, tt := range []struct{ name, id, body string }{
		{"a plain id", "order-7", `{"n":1}`},
		{"an empty body", "order-7", ""},
		{"an id with dots", "a.b.c", "x.y"},
		{"an id that needs encoding", "ä b%\"c", `{}`},
		{"a body that is not text", "1", "\x00\xff\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			secret := signingSecret(32)
			h := signed(t, tt.id, time.Now(), tt.body, secret)
			verifier, err := webhooks.NewWebhook(secret.Reveal())
			if err != nil {
				t.Fatal(err)
			}
			if err := verifier.Verify([]byte(tt.body), h); err != nil {
				t.Errorf("%v for %v", err, h)
			}
			if err := verifier.Verify([]byte(tt.body+"x"), h); err == nil {
				t.Error("another body verifies, too")
			}
		})
	}
}

// The example of Standard Webhooks' own libraries.
func TestSignatureOfTheSpecificationsExample(t *testing.T) {
	secret := keg.NewSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	h := signed(t, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), `{"test": 2432232314}`, secret)
	if got, want := h.Get("webhook-signature"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
	if got := h.Get("webhook-timestamp"); got != "1614265330" {
		t.Errorf("timestamp %s", got)
	}
	if got := h.Get("webhook-id"); got != "msg_p5jXN8AQM9LWM0D4loKWxJek" {
		t.Errorf("id %s", got)
	}
}

func TestEverySecretOfARotationSigns(t *testing.T) {
	secrets := []keg.Secret{signingSecret(24), signingSecret(64), signingSecret(32)}
	h := signed(t, "1", time.Now(), "body", secrets...)
	for i, secret := range secrets {
		verifier, err := webhooks.NewWebhook(secret.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.Verify([]byte("body"), h); err != nil {
			t.Errorf("secret %d: %v", i+1, err)
		}
	}
	stranger, _ := webhooks.NewWebhook(signingSecret(32).Reveal())
	if err := stranger.Verify([]byte("body"), h); err == nil {
		t.Error("a secret that is not configured verifies, too")
	}
}

func TestTheIDStaysAndTheTimestampIsTheAttempts(t *testing.T) {
	secret := signingSecret(32)
	first := signed(t, "order-7", time.Unix(1000, 0), "x", secret)
	second := signed(t, "order-7", time.Unix(1060, 0), "x", secret)
	if a, b := first.Get("webhook-id"), second.Get("webhook-id"); a != b {
		t.Errorf("ids %s and %s of one event", a, b)
	}
	if a, b := first.Get("webhook-timestamp"), second.Get("webhook-timestamp"); a != strconv.Itoa(1000) || b != strconv.Itoa(1060) {
		t.Errorf("timestamps %s and %s", a, b)
	}
}

func TestSigningSecretsThatAreRefused(t *testing.T) {
	const marker = "c2VjcmV0LW9mLXRoZS10ZXN0"
	many := make([]keg.Secret, maxSecrets+1)
	for i := range many {
		many[i] = signingSecret(32)
	}
	for _, tt := range []struct {
		name    string
		secrets []keg.Secret
		problem string
	}{
		{"none", nil, "is required"},
		{"an empty one", []keg.Secret{{}}, "must begin with whsec_"},
		{"without its prefix", []keg.Secret{keg.NewSecret(marker)}, "must begin with whsec_"},
		{"not base64", []keg.Secret{keg.NewSecret("whsec_" + marker + "!")}, "must be base64"},
		{"the second not base64", []keg.Secret{signingSecret(32), keg.NewSecret("whsec_" + marker + "!")}, "secret 2 is not"},
		{"too short", []keg.Secret{keg.NewSecret("whsec_" + marker)}, "24 to 64 bytes"},
		{"too long", []keg.Secret{signingSecret(65)}, "24 to 64 bytes"},
		{"too many", many, "at most 8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := (&HTTPSigning{Secret: tt.secrets}).keys()
			if err == nil || !strings.Contains(err.Error(), tt.problem) {
				t.Fatalf("%v, want %q", err, tt.problem)
			}
			if strings.Contains(err.Error(), marker) {
				t.Errorf("%v shows the secret", err)
			}
		})
	}
}

func TestNoByteOfAnIDBreaksAHeader(t *testing.T) {
	for c := range 256 {
		id := "a" + string([]byte{byte(c)}) + "b"
		got := visible(id)
		if strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r >= 0x7F }) {
			t.Errorf("byte %#x becomes %q", c, got)
		}
	}
	if got, want := visible("ü %"), fmt.Sprintf("%%%02X%%%02X%%20%%25", "ü"[0], "ü"[1]); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func BenchmarkSign(b *testing.B) {
	keys, _ := (&HTTPSigning{Secret: []keg.Secret{signingSecret(32)}}).keys()
	body := make([]byte, 1024)
	for b.Loop() {
		sign(http.Header{}, keys, "order-7", time.Unix(1, 0), body)
	}
}
