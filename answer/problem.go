package answer

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/kong/keg"
)

// problem is a problem details object (RFC 9457). Its type is about:blank: the
// status says what there is to say to a machine, the detail what to a person.
type problem struct {
	Type       string          `json:"type"`
	Title      string          `json:"title"`
	Status     int             `json:"status"`
	Detail     string          `json:"detail,omitempty"`
	ID         string          `json:"id,omitempty"`
	Deliveries []failure       `json:"deliveries,omitempty"`
	Events     json.RawMessage `json:"events,omitempty"`

	retryAfter time.Duration
}

// failure is a delivery that did not come about, as its publisher is told.
type failure struct {
	Route       string `json:"route,omitempty"`
	Destination string `json:"destination"`
	Attempts    int    `json:"attempts"`
	Error       string `json:"error"`
}

// Problem answers with an error alone, where no event came to have a receipt.
func Problem(err error) Answer { return newProblem("", judgeError(err)).answer() }

// Status answers with a status and a sentence of the caller's own, which a
// stranger may read.
func Status(status int, detail string) Answer {
	return newProblem("", verdict{status: status, detail: detail}).answer()
}

func newProblem(id string, v verdict) problem {
	return problem{
		Type:       "about:blank",
		Title:      http.StatusText(v.status),
		Status:     v.status,
		Detail:     printable(v.detail, maxDetail),
		ID:         printable(id, maxDetail),
		Deliveries: v.deliveries,
		retryAfter: v.retryAfter,
	}
}

func (p problem) answer() Answer {
	h := http.Header{"Content-Type": {"application/problem+json"}}
	switch p.Status {
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", strconv.FormatInt(retrySeconds(p.retryAfter), 10))
	case http.StatusUnauthorized: // RFC 9110, section 15.5.2, wants one; no registered scheme is a webhook's
		h.Set("WWW-Authenticate", "Webhook")
	}
	body, err := json.Marshal(p)
	if err != nil { // strings and numbers only: it cannot be
		body = []byte(`{"type":"about:blank","status":` + strconv.Itoa(p.Status) + `}`)
	}
	return Answer{Status: p.Status, Headers: h, Body: append(body, '\n')}
}

// retrySeconds rounds up, since to come back too early is to be refused again.
func retrySeconds(after time.Duration) int64 {
	return max(1, int64((after+time.Second-1)/time.Second))
}

func describe(d *keg.Delivery) failure {
	f := failure{Route: d.Route, Attempts: d.Attempts, Error: printable(d.Err.Error(), maxDetail)}
	if d.Destination != nil {
		f.Destination = d.Destination.Name
	}
	return f
}

// maxDetail bounds one text in an answer, in bytes: what a destination said in
// refusal may be part of it.
const maxDetail = 2000

// printable cuts text to a length, and makes spaces of what would end a line.
func printable(s string, length int) string {
	if len(s) > length {
		s = strings.ToValidUTF8(s[:length], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return ' '
		}
		return r
	}, s)
}
