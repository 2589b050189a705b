package plugins

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/kong/keg"
	"github.com/kong/keg/answer"
)

// handshakeConfig switches the handshake of CloudEvents' webhooks on.
type handshakeConfig struct {
	AllowedOrigins []string `kong:"allowed_origins,required" len_min:"1" doc:"The origins that may send, as they name themselves in WebHook-Request-Origin; * for any."`
	Rate           int      `kong:"rate" between:"1,1000000000" doc:"How many requests a minute a sender is told that it may send; any number where unset. It is told and not enforced."`
}

// grant answers a sender that asks whether it may send here (CloudEvents'
// HTTP webhook, section 4), and reports whether the request was that.
func (c *handshakeConfig) grant(method string, h keg.Headers) (answer.Answer, bool) {
	asked := h["webhook-request-origin"]
	if method != http.MethodOptions || len(asked) == 0 {
		return answer.Answer{}, false
	}
	// The answer quotes what is configured, never what was asked.
	allowed := slices.IndexFunc(c.AllowedOrigins, func(origin string) bool {
		return origin == "*" || len(asked) == 1 && strings.EqualFold(origin, strings.TrimSpace(asked[0]))
	})
	if allowed < 0 {
		return answer.Status(http.StatusForbidden, "this origin may not send events here"), true
	}
	rate := "*"
	if c.Rate > 0 {
		rate = strconv.Itoa(c.Rate)
	}
	return answer.Answer{Status: http.StatusOK, Headers: http.Header{
		"Allow":                  {"OPTIONS, POST"},
		"Webhook-Allowed-Origin": {c.AllowedOrigins[allowed]},
		"Webhook-Allowed-Rate":   {rate},
	}}, true
}

// problem reports an origin that no header can have.
func (c *handshakeConfig) problem() string {
	for _, origin := range c.AllowedOrigins {
		if origin == "" || strings.ContainsFunc(origin, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return "must be the names of origins, such as eventemitter.example.com, or *"
		}
	}
	return ""
}
