package webhooks

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"

	"github.com/kong/keg"
)

// The prefixes of Standard Webhooks' secrets. They keep the two kinds apart: a
// public key, which anybody may know, must never be the secret of an HMAC.
const (
	symmetricPrefix = "whsec_"
	publicPrefix    = "whpk_"
	privatePrefix   = "whsk_"

	minSymmetric, maxSymmetric = 16, 256 // bytes; the specification asks for 24 to 64
)

// standardSecret takes one secret in, or says what is wrong with it.
func (v *Verifier) standardSecret(text string) (problem string) {
	prefix, encoded, _ := strings.Cut(text, "_")
	switch prefix + "_" {
	case symmetricPrefix:
		key, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(key) < minSymmetric || len(key) > maxSymmetric {
			return "must be 24 to 64 bytes in base64 after " + symmetricPrefix
		}
		v.secrets = append(v.secrets, key)
	case publicPrefix:
		key, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(key) != ed25519.PublicKeySize {
			return "must be the 32 bytes of an ed25519 public key in base64 after " + publicPrefix
		}
		v.keys = append(v.keys, key)
	case privatePrefix:
		return "is a private key, which only the sender may have; give the public one, which begins with " + publicPrefix
	default:
		return "must begin with " + symmetricPrefix + " or, for a public key, with " + publicPrefix
	}
	return ""
}

// standardClaim reads the headers of Standard Webhooks: signatures of the id,
// the time and the body, one of each version and secret.
func standardClaim(h keg.Headers) (claim, error) {
	id, err := only(h, "webhook-id")
	if err != nil {
		return claim{}, err
	}
	at, err := only(h, "webhook-timestamp")
	if err != nil {
		return claim{}, err
	}
	text, err := only(h, "webhook-signature")
	if err != nil {
		return claim{}, err
	}
	c := claim{at: at, before: id + "." + at + "."}
	count := 0
	for part := range strings.FieldsSeq(text) {
		if count++; count > maxSignatures {
			return claim{}, errSignatures
		}
		version, encoded, _ := strings.Cut(part, ",")
		signature, ok := fromBase64(encoded)
		switch {
		case !ok:
		case version == "v1":
			c.macs = append(c.macs, signature)
		case version == "v1a":
			c.signatures = append(c.signatures, signature)
		}
	}
	if len(c.macs)+len(c.signatures) == 0 {
		return claim{}, unreadable("webhook-signature")
	}
	return c, nil
}

func standardNotice(h keg.Headers, body []byte) Notice {
	var b struct {
		Type word `json:"type"`
	}
	read(body, &b)
	return Notice{ID: h.Get("webhook-id"), Type: string(b.Type)}
}
