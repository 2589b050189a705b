package sinks

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/kong/keg"
)

const (
	maxAnswer     = 64 << 10 // bytes of a response that are read
	maxExcerpt    = 200      // bytes of a response that an error shows
	maxRetryAfter = 5 * time.Minute
	// answerTime bounds the reading of a body: the status is the answer, and a
	// receiver that dribbles holds up nobody for longer.
	answerTime = time.Second
	minMasked  = 4 // bytes; what is shorter is no secret, and would garble every text
)

// judgeAnswer reads resp to its limit, closes it, and says what it means: nil
// for 2xx; a transient error for the statuses that a second attempt may change,
// with the receiver's Retry-After; a permanent one for all the others,
// redirects among them; of these 410 tells that the receiver is gone, and 413
// that the event is too large for it. The error shows the status and the beginning of a
// textual body, in which every string of hide is masked.
func judgeAnswer(resp *http.Response, now time.Time, hide func() []string) error {
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		readAnswer(resp.Body, io.Discard)
		return nil
	}
	var body bytes.Buffer
	readAnswer(resp.Body, &body)
	var err error = statusError(resp.StatusCode)
	if text := excerpt(resp.Header.Get("Content-Type"), body.Bytes(), hide); text != "" {
		err = fmt.Errorf("%w: %s", err, text)
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if after, ok := retryAfter(resp.Header.Get("Retry-After"), now); ok {
			return keg.RetryAfter(err, after)
		}
		return err
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusGatewayTimeout:
		return err
	case http.StatusGone:
		return keg.Gone(err)
	case http.StatusRequestEntityTooLarge:
		return tooLarge(err, 0)
	}
	return keg.Permanent(err)
}

// statusError is a status that is no yes. Whoever writes a dead letter asks it
// for the number.
type statusError int

func (e statusError) Error() string { return "answered " + describeStatus(int(e)) }

// HTTPStatus returns the status.
func (e statusError) HTTPStatus() int { return int(e) }

// readAnswer reads to the limits and closes. A body read to its end gives the
// connection back; a longer one costs the connection. What goes wrong here is
// no matter: the status has come, and it is the answer.
func readAnswer(body io.ReadCloser, into io.Writer) {
	if body == http.NoBody {
		return
	}
	defer func() { _ = body.Close() }()
	// Close may be called beside a Read, and ends it.
	defer time.AfterFunc(answerTime, func() { _ = body.Close() }).Stop()
	_, _ = io.Copy(into, io.LimitReader(body, maxAnswer))
}

func describeStatus(code int) string {
	text := http.StatusText(code)
	if code >= 300 && code < 400 {
		text += ", and redirects are not followed"
	}
	return strings.TrimSpace(strconv.Itoa(code) + " " + strings.TrimPrefix(text, ", "))
}

// retryAfter reads Retry-After (RFC 9110, section 10.2.3): seconds, or a date.
func retryAfter(value string, now time.Time) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if value != "" && strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter, true // a number beyond any integer is a long time, too
		}
		return time.Duration(seconds) * time.Second, true
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(date.Sub(now), 0), maxRetryAfter), true
}

// excerpt is the beginning of a textual body on one line, or "". A receiver may
// echo the request, so that whatever must stay secret in it is masked first.
func excerpt(contentType string, body []byte, hide func() []string) string {
	if mediaType, _, err := mime.ParseMediaType(contentType); len(body) == 0 || err != nil ||
		!strings.HasPrefix(mediaType, "text/") && !strings.HasSuffix(mediaType, "json") ||
		mediaType == "text/html" {
		return ""
	}
	text := strings.ToValidUTF8(string(body), "")
	secrets := hide()
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	for _, secret := range secrets {
		if len(secret) >= minMasked {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= maxExcerpt {
		return text
	}
	cut := maxExcerpt
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
