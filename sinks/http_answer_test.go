package sinks

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kong/keg"
)

func answer(status int, header http.Header, body string) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}
}

func nothing() []string { return nil }

func TestEveryStatusIsJudged(t *testing.T) {
	for status := 100; status < 600; status++ {
		err := judgeAnswer(answer(status, nil, ""), time.Now(), nothing)
		if got, want := class(err), classOfStatus(status); got != want {
			t.Errorf("%d: %v is %s, want %s", status, err, got, want)
		}
	}
}

// classOfStatus is the delivery contract's word on a status without Retry-After.
func classOfStatus(status int) string {
	switch status {
	case 408, 425, 429, 500, 502, 503, 504:
		return "transient"
	case 410:
		return "gone"
	case 413:
		return "too large"
	}
	if status >= 200 && status < 300 {
		return "taken"
	}
	return "permanent"
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name, value string
		want        time.Duration
		ok          bool
	}{
		{"seconds", "7", 7 * time.Second, true},
		{"none", "0", 0, true},
		{"blanks around", "  7 ", 7 * time.Second, true},
		{"a year", "31536000", maxRetryAfter, true},
		{"more than an integer", "99999999999999999999999", maxRetryAfter, true},
		{"more than a duration", "9223372036854775807", maxRetryAfter, true},
		{"a date", "Sat, 31 Jan 2026 12:00:30 GMT", 30 * time.Second, true},
		{"a date of RFC 850", "Saturday, 31-Jan-26 12:00:30 GMT", 30 * time.Second, true},
		{"a date of asctime", "Sat Jan 31 12:00:30 2026", 30 * time.Second, true},
		{"a date that has passed", "Sat, 31 Jan 2026 11:00:00 GMT", 0, true},
		{"a date next year", "Sun, 31 Jan 2027 12:00:00 GMT", maxRetryAfter, true},
		{"absent", "", 0, false},
		{"negative", "-5", 0, false},
		{"a fraction", "1.5", 0, false},
		{"no number and no date", "soon", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, status := range []int{429, 503} {
				err := judgeAnswer(answer(status, http.Header{"Retry-After": {tt.value}}, ""), now, nothing)
				got, ok := keg.RetryDelay(err)
				if got != tt.want || ok != tt.ok || keg.IsPermanent(err) {
					t.Errorf("%d: %v, %v, want %v, %v, transient", status, got, ok, tt.want, tt.ok)
				}
			}
		})
	}
}

func TestRetryAfterOfOtherStatusesIsNotObeyed(t *testing.T) {
	for _, status := range []int{301, 400, 500, 502} {
		err := judgeAnswer(answer(status, http.Header{"Retry-After": {"7"}}, ""), time.Now(), nothing)
		if _, ok := keg.RetryDelay(err); ok {
			t.Errorf("%d: %v asks to wait", status, err)
		}
	}
}

func TestWhatAnErrorShowsOfABody(t *testing.T) {
	long := strings.Repeat("é", 300)
	for _, tt := range []struct{ name, contentType, body, want string }{
		{"problem details", "application/problem+json", `{"title":"no such customer"}`, `answered 422 Unprocessable Entity: {"title":"no such customer"}`},
		{"text", "text/plain; charset=utf-8", "amount is missing\n", "answered 422 Unprocessable Entity: amount is missing"},
		{"control characters and line ends", "text/plain", "a\r\nb\x00\x1b[31mc\u0085\u2028d", "answered 422 Unprocessable Entity: a b [31mc d"},
		{"what is not UTF-8", "text/plain", "a\xff\xfeb", "answered 422 Unprocessable Entity: ab"},
		{"a long one is cut between characters", "text/plain", long, "answered 422 Unprocessable Entity: " + strings.Repeat("é", 100) + "…"},
		{"a page", "text/html", "<html>", "answered 422 Unprocessable Entity"},
		{"what is no text", "image/png", "x", "answered 422 Unprocessable Entity"},
		{"an unknown type", "", "x", "answered 422 Unprocessable Entity"},
		{"a broken type", ";;;", "x", "answered 422 Unprocessable Entity"},
		{"nothing", "text/plain", "", "answered 422 Unprocessable Entity"},
		{"the request's secrets", "text/plain", "got Bearer tok-en-123 and tok-en", "answered 422 Unprocessable Entity: got *** and ***"},
		{"too short to be a secret", "text/plain", "abc", "answered 422 Unprocessable Entity: abc"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hide := func() []string { return []string{"", "abc", "tok-en", "Bearer tok-en-123"} }
			err := judgeAnswer(answer(422, http.Header{"Content-Type": {tt.contentType}}, tt.body), time.Now(), hide)
			if err.Error() != tt.want {
				t.Errorf("%q, want %q", err, tt.want)
			}
		})
	}
}

func TestARedirectSaysThatItIsNotFollowed(t *testing.T) {
	err := judgeAnswer(answer(302, http.Header{"Location": {"http://169.254.169.254/?secret=1"}}, ""), time.Now(), nothing)
	if want := "answered 302 Found, and redirects are not followed"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
}

// endless is a response's body that tells how it was treated.
type endless struct {
	read   int
	closed bool
}

func (b *endless) Read(p []byte) (int, error) {
	if b.closed {
		return 0, errors.New("read after close")
	}
	b.read += len(p)
	return len(p), nil
}

func (b *endless) Close() error {
	b.closed = true
	return nil
}

func TestAnEndlessBodyIsReadToTheLimitAndClosed(t *testing.T) {
	for _, status := range []int{200, 400, 503} {
		body := new(endless)
		_ = judgeAnswer(&http.Response{StatusCode: status, Header: http.Header{}, Body: body}, time.Now(), nothing)
		if body.read > maxAnswer {
			t.Errorf("%d: %d bytes read, want at most %d", status, body.read, maxAnswer)
		}
		if !body.closed {
			t.Errorf("%d: not closed", status)
		}
	}
}

func TestRefusalTellsItsStatus(t *testing.T) {
	for _, code := range []int{301, 403, 410, 429, 503} {
		resp := answer(code, http.Header{"Content-Type": {"text/plain"}, "Retry-After": {"3"}}, "why")
		var status interface{ HTTPStatus() int }
		if err := judgeAnswer(resp, time.Now(), nothing); !errors.As(err, &status) || status.HTTPStatus() != code {
			t.Errorf("%d: %v", code, err)
		}
	}
}
