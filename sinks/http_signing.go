package sinks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/kong/keg"
)

// HTTPSigning is how a webhook proves where it comes from: Standard Webhooks,
// the symmetric scheme v1.
type HTTPSigning struct {
	Secret []keg.Secret `keg:"secret,required,split" doc:"The signing secret, whsec_ and base64; several while receivers change from one to the next: each request is then signed with all."`
}

const (
	secretPrefix            = "whsec_"
	minSecret, maxSecret    = 24, 64 // bytes, Standard Webhooks, "Signature scheme"
	maxSecrets              = 8      // a header's worth
	headerWebhookID         = "Webhook-Id"
	headerWebhookTimestamp  = "Webhook-Timestamp"
	headerWebhookSignatures = "Webhook-Signature"
)

// keys returns the secrets' bytes, or what is wrong with the first that is no
// secret, without showing it.
func (s *HTTPSigning) keys() ([][]byte, error) {
	if len(s.Secret) == 0 {
		return nil, errors.New("is required: whsec_ and 24 to 64 bytes in base64")
	}
	if len(s.Secret) > maxSecrets {
		return nil, fmt.Errorf("has %d secrets, at most %d are allowed", len(s.Secret), maxSecrets)
	}
	keys := make([][]byte, len(s.Secret))
	for i, secret := range s.Secret {
		encoded, found := strings.CutPrefix(secret.Reveal(), secretPrefix)
		key, err := base64.StdEncoding.DecodeString(encoded)
		switch {
		case !found:
			return nil, fmt.Errorf("must begin with %s, which secret %d does not", secretPrefix, i+1)
		case err != nil: // its text would tell part of the secret
			return nil, fmt.Errorf("must be base64 after %s, which secret %d is not", secretPrefix, i+1)
		case len(key) < minSecret || len(key) > maxSecret:
			return nil, fmt.Errorf("must hold %d to %d bytes, but secret %d holds %d", minSecret, maxSecret, i+1, len(key))
		}
		keys[i] = key
	}
	return keys, nil
}

// sign adds the three headers of Standard Webhooks to h. The id is the same in
// every attempt, so that a receiver knows a repeat; the time is the attempt's.
func sign(h http.Header, keys [][]byte, id string, at time.Time, body []byte) {
	id = visible(id)
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]byte, 0, len(keys)*(len("v1, ")+base64.StdEncoding.EncodedLen(sha256.Size)))
	for i, key := range keys {
		mac := hmac.New(sha256.New, key)
		for _, part := range [][]byte{[]byte(id), {'.'}, []byte(timestamp), {'.'}, body} {
			mac.Write(part)
		}
		if i > 0 {
			signatures = append(signatures, ' ')
		}
		signatures = append(signatures, "v1,"...)
		signatures = base64.StdEncoding.AppendEncode(signatures, mac.Sum(nil))
	}
	h[headerWebhookID] = []string{id}
	h[headerWebhookTimestamp] = []string{timestamp}
	h[headerWebhookSignatures] = []string{string(signatures)}
}

// visible percent-encodes what is not visible ASCII, as binary mode's ce-id
// does, so that both ends see the same bytes in the header that is signed.
func visible(id string) string {
	plain := func(c byte) bool { return c > ' ' && c < 0x7F && c != '%' && c != '"' }
	for i := range len(id) {
		if !plain(id[i]) {
			var b strings.Builder
			for i := range len(id) {
				if plain(id[i]) {
					b.WriteByte(id[i])
				} else {
					fmt.Fprintf(&b, "%%%02X", id[i])
				}
			}
			return b.String()
		}
	}
	return id
}
