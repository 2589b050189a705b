package webhooks

import (
	"strings"

	"github.com/kong/keg"
)

// githubClaim reads X-Hub-Signature-256. GitHub signs no time: what keeps a
// request from being sent again is its delivery's id.
func githubClaim(h keg.Headers) (claim, error) {
	const header = "x-hub-signature-256"
	text, err := only(h, header)
	if err != nil {
		return claim{}, err
	}
	encoded, found := strings.CutPrefix(text, "sha256=")
	mac, ok := fromHex(encoded)
	if !found || !ok {
		return claim{}, unreadable(header)
	}
	return claim{macs: [][]byte{mac}}, nil
}

func githubNotice(h keg.Headers, _ []byte) Notice {
	return Notice{ID: h.Get("x-github-delivery"), Type: below("com.github.", h.Get("x-github-event"))}
}
