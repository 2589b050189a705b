package webhooks

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"time"

	"github.com/kong/keg"
)

// Scheme is how a provider signs its requests.
type Scheme string

// The schemes that can be verified.
const (
	Standard Scheme = "standard-webhooks" // v1 (HMAC-SHA256) and v1a (ed25519)
	GitHub   Scheme = "github"            // X-Hub-Signature-256
	Stripe   Scheme = "stripe"            // Stripe-Signature, its v1
	Slack    Scheme = "slack"             // X-Slack-Signature, its v0
	HMAC     Scheme = "hmac"              // any other header; see [HMACOptions]
)

// DefaultTolerance is how far a timestamp may be from the time of the machine
// where nothing else is said.
const DefaultTolerance = 5 * time.Minute

// Options say whom to believe.
type Options struct {
	Scheme Scheme
	// Secrets are those that the provider may have signed with; one is enough,
	// several while it changes from one to the next. At most 8.
	Secrets []keg.Secret
	// Tolerance bounds the age of a request, and how far ahead its clock may be;
	// 0 means [DefaultTolerance]. Schemes without a timestamp take none.
	Tolerance time.Duration
	// HMAC is for that scheme alone.
	HMAC HMACOptions
	// Now is time.Now where nil.
	Now func() time.Time
}

// Notice is what a provider calls an event; "" where it does not say.
type Notice struct {
	// ID is the same for each attempt at one delivery.
	ID   string
	Type string
	// Challenge, where there is one, is no event: the provider asks for it to be
	// sent back, to see that somebody is there (Slack's url_verification).
	Challenge string
}

// Verifier verifies requests by one scheme. It never changes and is safe for
// concurrent use.
type Verifier struct {
	scheme    Scheme
	secrets   [][]byte            // of HMACs
	keys      []ed25519.PublicKey // of v1a
	hash      func() hash.Hash    // of HMACs
	tolerance time.Duration
	now       func() time.Time
	claim     func(h keg.Headers) (claim, error)
	notice    func(h keg.Headers, body []byte) Notice
}

// claim is what the headers of a request say of its signature.
type claim struct {
	at     string // when it was signed, in Unix seconds; "" where the scheme has no time
	before string // what is signed before the body
	// macs and signatures are those of which one must be right.
	macs, signatures [][]byte
}

// Verify returns what the provider calls the event, or a [*keg.UnverifiedError].
// The body is the one that was sent, before anything is decoded. Nothing is
// kept or changed.
func (v *Verifier) Verify(h keg.Headers, body []byte) (Notice, error) {
	c, err := v.claim(h)
	if err == nil && c.at != "" {
		err = v.fresh(c.at)
	}
	if err == nil && !v.signed(c, body) {
		err = errWrong
	}
	if err != nil {
		return Notice{}, &keg.UnverifiedError{Scheme: string(v.scheme), Problem: err.Error()}
	}
	return v.notice(h, body), nil
}

func (v *Verifier) signed(c claim, body []byte) bool {
	if len(c.macs) > 0 {
		for _, secret := range v.secrets {
			h := hmac.New(v.hash, secret)
			h.Write([]byte(c.before))
			h.Write(body)
			sum := h.Sum(nil)
			for _, mac := range c.macs {
				if hmac.Equal(sum, mac) {
					return true
				}
			}
		}
	}
	if len(c.signatures) > 0 && len(v.keys) > 0 {
		message := append([]byte(c.before), body...)
		for _, key := range v.keys {
			for _, signature := range c.signatures {
				if ed25519.Verify(key, message, signature) {
					return true
				}
			}
		}
	}
	return false
}

// New returns a verifier, or everything that is wrong with o: joined
// [*keg.FieldError]s whose paths are the keys of configurations.
func New(o Options) (*Verifier, error) {
	v := &Verifier{scheme: o.Scheme, hash: sha256.New, tolerance: o.Tolerance, now: o.Now}
	if v.tolerance <= 0 {
		v.tolerance = DefaultTolerance
	}
	if v.now == nil {
		v.now = time.Now
	}
	switch o.Scheme {
	case Standard:
		v.claim, v.notice = standardClaim, standardNotice
	case GitHub:
		v.claim, v.notice = githubClaim, githubNotice
	case Stripe:
		v.claim, v.notice = stripeClaim, stripeNotice
	case Slack:
		v.claim, v.notice = slackClaim, slackNotice
	case HMAC:
		v.hash, v.claim, v.notice = o.HMAC.hash(), o.HMAC.claim(), o.HMAC.notice()
	default:
		return nil, wrong("scheme", "must be one of %s, %s, %s, %s, %s", Standard, GitHub, Stripe, Slack, HMAC)
	}
	if err := o.problems(v); err != nil {
		return nil, err
	}
	return v, nil
}

func wrong(path, format string, args ...any) error {
	return &keg.FieldError{Path: path, Problem: fmt.Sprintf(format, args...)}
}
