package sources

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/kong/keg"
	"github.com/kong/keg/cloudevents"
)

// read takes the request's body in, within its limits, and decodes it. The bytes
// count as buffered until in is released.
func (e *entry) read(w http.ResponseWriter, r *http.Request, in *metered) (cloudevents.Batch, error) {
	limit := e.events.MaxBytes
	if limit <= 0 {
		limit = cloudevents.DefaultMaxBytes
	}
	if r.ContentLength > limit {
		return cloudevents.Batch{}, &keg.TooLargeError{What: "body", Limit: limit, Unit: "bytes"}
	}
	if r.Header.Get("Content-Encoding") != "" && !in.take(limit) { // as much as it may unfold into
		return cloudevents.Batch{}, errFull
	}
	body, err := in.all(w, r, limit)
	if err != nil {
		return cloudevents.Batch{}, bodyError(err, limit)
	}
	return cloudevents.FromRequest(&cloudevents.Request{
		Method: r.Method, Scheme: "http", Host: r.Host, Path: r.URL.EscapedPath(),
		Headers: headers(r), Body: body, ID: requestID(r.Header), Received: time.Now().UTC(),
	}, e.events)
}

var (
	errFull = &keg.BusyError{Problem: "too many bytes of requests are in flight", After: time.Second}
	errSlow = errors.New("the body did not arrive in time")
)

// metered reads a body, and counts what has come of it among all that is buffered.
type metered struct {
	from     io.Reader
	buffered *semaphore.Weighted
	held     int64
}

// worth is the room that a sender gets for the length that it tells of. One who
// lies gets no more.
const worth = 64 << 10

// all reads the body of a request, up to limit.
func (m *metered) all(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength >= 0 && r.ContentLength <= worth { // it is no longer than it says
		m.from = r.Body
		body := make([]byte, r.ContentLength)
		_, err := io.ReadFull(m, body)
		return body, err
	}
	m.from = http.MaxBytesReader(w, r.Body, limit)
	body := bytes.NewBuffer(make([]byte, 0, min(max(r.ContentLength, 0), worth)+bytes.MinRead))
	_, err := body.ReadFrom(m)
	return body.Bytes(), err
}

func (m *metered) Read(b []byte) (int, error) {
	n, err := m.from.Read(b)
	if !m.take(int64(n)) {
		return 0, errFull
	}
	return n, err
}

func (m *metered) take(n int64) bool {
	if !m.buffered.TryAcquire(n) {
		return false
	}
	m.held += n
	return true
}

func (m *metered) release() { m.buffered.Release(m.held) }

// bodyError says what reading a body's failure means to its sender.
func bodyError(err error, limit int64) error {
	var tooLarge *http.MaxBytesError
	switch {
	case err == errFull:
		return err
	case errors.As(err, &tooLarge):
		return &keg.TooLargeError{What: "body", Limit: limit, Unit: "bytes"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSlow
	}
	return &keg.InvalidError{Problem: "the body ended before it was whole"}
}

// headers are the request's, as an event holds them; net/http keeps Host apart.
func headers(r *http.Request) keg.Headers {
	h := make(keg.Headers, len(r.Header)+1)
	for name, values := range r.Header {
		lower, known := lowerNames[name]
		if !known {
			lower = strings.ToLower(name)
		}
		h[lower] = values
	}
	h["host"] = []string{r.Host}
	return h
}

// lowerNames are the names that most requests have, so that they are not made
// anew for each.
var lowerNames = func() map[string]string {
	names := map[string]string{}
	for _, name := range []string{
		"Accept", "Accept-Encoding", "Authorization", "Content-Length", "Content-Type", "Ce-Dataschema", "Ce-Id", "Ce-Partitionkey", "Ce-Source",
		"Ce-Specversion", "Ce-Subject", "Ce-Time", "Ce-Type", "Traceparent", "Tracestate", "User-Agent", "X-Forwarded-For", "X-Request-Id",
	} {
		names[name] = strings.ToLower(name)
	}
	return names
}()

// requestID is the id that a proxy gave the request, which a repeat of the same
// request bears again. Kong's comes first: others are passed on from request to
// request by some, so that two events may bear the same.
func requestID(h http.Header) string {
	for _, name := range [...]string{"X-Kong-Request-Id", "X-Request-Id"} {
		if id := h.Get(name); id != "" && len(id) <= 128 && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return id
		}
	}
	return ""
}
