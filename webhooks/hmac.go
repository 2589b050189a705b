package webhooks

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"hash"
	"strings"

	"github.com/kong/keg"
)

// HMACOptions describe the scheme of a provider that signs with an HMAC in a
// header of its own. What is signed is the body or, with a TimestampHeader, that
// header's value, a dot, and the body.
type HMACOptions struct {
	Header    string // where the signature is; required
	Algorithm string // sha256, where empty, sha512 or sha1
	Encoding  string // hex, where empty, or base64
	Prefix    string // what stands before the signature, such as "sha256="
	// TimestampHeader is where the time is, in Unix seconds.
	TimestampHeader string
	// IDHeader and TypeHeader are where the delivery's id and the event's type
	// are; they are not signed.
	IDHeader, TypeHeader string
}

func (o HMACOptions) hash() func() hash.Hash {
	switch o.Algorithm {
	case "sha512":
		return sha512.New
	case "sha1": // broken for signatures of documents, not as an HMAC
		return sha1.New
	}
	return sha256.New
}

func (o HMACOptions) claim() func(keg.Headers) (claim, error) {
	header, timestamp := strings.ToLower(o.Header), strings.ToLower(o.TimestampHeader)
	decode := fromHex
	if o.Encoding == "base64" {
		decode = fromBase64
	}
	return func(h keg.Headers) (c claim, err error) {
		if timestamp != "" {
			if c.at, err = only(h, timestamp); err != nil {
				return claim{}, err
			}
			c.before = c.at + "."
		}
		text, err := only(h, header)
		if err != nil {
			return claim{}, err
		}
		encoded, found := strings.CutPrefix(text, o.Prefix)
		mac, ok := decode(encoded)
		if !found || !ok {
			return claim{}, unreadable(header)
		}
		c.macs = [][]byte{mac}
		return c, nil
	}
}

func (o HMACOptions) notice() func(keg.Headers, []byte) Notice {
	return func(h keg.Headers, _ []byte) (n Notice) {
		if o.IDHeader != "" {
			n.ID = h.Get(o.IDHeader)
		}
		if o.TypeHeader != "" {
			n.Type = h.Get(o.TypeHeader)
		}
		return n
	}
}

func (o HMACOptions) problems(scheme Scheme) error {
	var errs []error
	for _, option := range []struct{ path, value string }{
		{"header", o.Header}, {"algorithm", o.Algorithm}, {"encoding", o.Encoding}, {"prefix", o.Prefix},
		{"timestamp_header", o.TimestampHeader}, {"id_header", o.IDHeader}, {"type_header", o.TypeHeader},
	} {
		switch {
		case option.value == "":
		case scheme != HMAC:
			errs = append(errs, wrong(option.path, "is for the scheme %s only; %s has its own", HMAC, scheme))
		case strings.HasSuffix(option.path, "header") && !isToken(option.value):
			errs = append(errs, wrong(option.path, "is no name of a header"))
		}
	}
	if scheme != HMAC {
		return errors.Join(errs...)
	}
	switch o.Algorithm {
	case "", "sha256", "sha512", "sha1":
	default:
		errs = append(errs, wrong("algorithm", "must be sha256, sha512 or sha1"))
	}
	switch o.Encoding {
	case "", "hex", "base64":
	default:
		errs = append(errs, wrong("encoding", "must be hex or base64"))
	}
	if o.Header == "" {
		errs = append(errs, wrong("header", "is required with the scheme %s: it names the header that has the signature", HMAC))
	} else if strings.EqualFold(o.Header, o.TimestampHeader) {
		errs = append(errs, wrong("timestamp_header", "must be another header than that of the signature"))
	}
	return errors.Join(errs...)
}

// isToken reports whether name can be a header's (RFC 9110, section 5.6.2).
func isToken(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return name != ""
}
