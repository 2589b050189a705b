package webhooks

import (
	"errors"
	"strings"

	"github.com/kong/keg"
)

// stripeClaim reads Stripe-Signature: t=TIME,v1=HEX,v1=HEX, one v1 for each
// secret while they change. Other versions are passed over: v0 is of tests.
func stripeClaim(h keg.Headers) (claim, error) {
	const header = "stripe-signature"
	text, err := only(h, header)
	if err != nil {
		return claim{}, err
	}
	var c claim
	for part := range strings.SplitSeq(text, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch key {
		case "t":
			if c.at != "" {
				return claim{}, errors.New("the header stripe-signature has two timestamps")
			}
			c.at, c.before = value, value+"."
		case "v1":
			if len(c.macs) == maxSignatures {
				return claim{}, errSignatures
			}
			if mac, ok := fromHex(value); ok {
				c.macs = append(c.macs, mac)
			}
		}
	}
	switch {
	case c.at == "":
		return claim{}, errors.New("the header stripe-signature has no timestamp")
	case len(c.macs) == 0:
		return claim{}, unreadable(header)
	}
	return c, nil
}

func stripeNotice(_ keg.Headers, body []byte) Notice {
	var b struct {
		ID   word `json:"id"`
		Type word `json:"type"`
	}
	read(body, &b)
	return Notice{ID: string(b.ID), Type: below("com.stripe.", string(b.Type))}
}
