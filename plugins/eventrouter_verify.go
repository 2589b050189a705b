package plugins

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/answer"
	"github.com/kong/keg/cloudevents"
	"github.com/kong/keg/kong/schema"
	"github.com/kong/keg/webhooks"
)

// verifyConfig says which webhooks an instance takes, and no other request.
type verifyConfig struct {
	Scheme          string       `kong:"scheme,required" one_of:"standard-webhooks,github,stripe,slack,hmac" doc:"How requests are signed. One that is not, or not rightly, is answered 401, and no event is made of it."`
	Secrets         []keg.Secret `kong:"secrets,required,referenceable,encrypted" len_min:"1" len_max:"8" doc:"The secrets that requests may be signed with; several while the provider changes from one to the next. For standard-webhooks whsec_ and base64, or whpk_ and base64 for a public key."`
	Tolerance       int          `kong:"tolerance" between:"1,86400" doc:"How many seconds the time of a request may be away from the clock; 300 where unset. github signs no time."`
	Header          string       `kong:"header" doc:"For hmac: the header that has the signature."`
	Algorithm       string       `kong:"algorithm" one_of:"sha256,sha512,sha1" doc:"For hmac: the hash function; sha256 where unset."`
	Encoding        string       `kong:"encoding" one_of:"hex,base64" doc:"For hmac: how the signature is written; hex where unset."`
	Prefix          string       `kong:"prefix" doc:"For hmac: what stands before the signature in its header, such as sha256=."`
	TimestampHeader string       `kong:"timestamp_header" doc:"For hmac: the header that has the time, in Unix seconds. Its value, a dot and the body are then what is signed; the body alone where unset."`
	IDHeader        string       `kong:"id_header" doc:"For hmac: the header that has the delivery's id, which becomes the id of the event."`
	TypeHeader      string       `kong:"type_header" doc:"For hmac: the header that has the event's name, which becomes its type where the request names no other."`
}

// EntityChecks tells Kong's Admin API which settings go with which scheme.
func (*verifyConfig) EntityChecks() []schema.EntityCheck {
	checks := []schema.EntityCheck{
		schema.If("scheme", schema.Is("hmac"), "header", schema.IsSet()),
		schema.If("tolerance", schema.IsSet(), "scheme", schema.Is("standard-webhooks", "stripe", "slack", "hmac")),
	}
	for _, name := range []string{"header", "algorithm", "encoding", "prefix", "timestamp_header", "id_header", "type_header"} {
		checks = append(checks, schema.If(name, schema.IsSet(), "scheme", schema.Is("hmac")))
	}
	return checks
}

// verifier returns nil where c is, and otherwise everything that is wrong.
func (c *verifyConfig) verifier() (*webhooks.Verifier, error) {
	if c == nil {
		return nil, nil
	}
	var unresolved error
	for i, secret := range c.Secrets {
		if problem := unresolvedSecret(secret); problem != "" {
			unresolved = errors.Join(unresolved, fmt.Errorf("secrets: secret %d %s", i+1, problem))
		}
	}
	if unresolved != nil {
		return nil, unresolved
	}
	return webhooks.New(webhooks.Options{
		Scheme: webhooks.Scheme(c.Scheme), Secrets: c.Secrets, Tolerance: time.Duration(c.Tolerance) * time.Second,
		HMAC: webhooks.HMACOptions{
			Header: c.Header, Algorithm: c.Algorithm, Encoding: c.Encoding, Prefix: c.Prefix,
			TimestampHeader: c.TimestampHeader, IDHeader: c.IDHeader, TypeHeader: c.TypeHeader,
		},
	})
}

// unresolvedSecret says why a secret is none: what Kong could not find in a
// vault comes as an empty text, with which anybody could sign, or as the
// reference, which anybody can read.
func unresolvedSecret(secret keg.Secret) string {
	switch {
	case secret.IsZero():
		return "is empty; a vault reference that Kong cannot resolve comes so"
	case strings.HasPrefix(secret.Reveal(), "{vault://"):
		return "is a vault reference that Kong has not resolved"
	}
	return ""
}

// verify holds a request, as it was sent, against its signature, and notes what
// the provider calls its event. A challenge is no event, but to be sent back.
func (r *eventRouterInstance) verify(request *cloudevents.Request) (challenge string, err error) {
	notice, err := r.verifier.Verify(request.Headers, request.Body)
	request.DeliveryID, request.DeliveryType = notice.ID, notice.Type
	return notice.Challenge, err
}

// challenged answers a provider that asks whether somebody is there.
func challenged(challenge string) answer.Answer {
	body, err := json.Marshal(struct {
		Challenge string `json:"challenge"`
	}{challenge})
	if err != nil { // a string: it cannot be
		return answer.Problem(err)
	}
	return answer.Answer{Status: http.StatusOK, Headers: http.Header{"Content-Type": {"application/json"}}, Body: append(body, '\n')}
}
