package webhooks

import (
	"cmp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/kong/keg"
)

// slackClaim reads X-Slack-Signature, of the version, the time and the body.
func slackClaim(h keg.Headers) (claim, error) {
	const header = "x-slack-signature"
	at, err := only(h, "x-slack-request-timestamp")
	if err != nil {
		return claim{}, err
	}
	text, err := only(h, header)
	if err != nil {
		return claim{}, err
	}
	encoded, found := strings.CutPrefix(text, "v0=")
	mac, ok := fromHex(encoded)
	if !found || !ok {
		return claim{}, unreadable(header)
	}
	return claim{at: at, before: "v0:" + at + ":", macs: [][]byte{mac}}, nil
}

// slackNotice reads a body of the Events API; commands and interactions are
// forms, which name no event.
func slackNotice(_ keg.Headers, body []byte) Notice {
	var b struct {
		Type      word           `json:"type"`
		ID        word           `json:"event_id"`
		Challenge word           `json:"challenge"`
		Event     jsontext.Value `json:"event"`
	}
	read(body, &b)
	if b.Type == "url_verification" {
		return Notice{Challenge: string(b.Challenge)}
	}
	var inner struct {
		Type word `json:"type"`
	}
	read(b.Event, &inner)
	return Notice{ID: string(b.ID), Type: below("com.slack.", string(cmp.Or(inner.Type, b.Type)))}
}
