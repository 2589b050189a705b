package sources

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/kong/keg"
	"github.com/kong/keg/answer"
	"github.com/kong/keg/cloudevents"
)

// An entry turns one HTTP request into events, and what became of them into the
// response.
type entry struct {
	handle   keg.Handler
	events   cloudevents.Options
	log      *slog.Logger
	buffered *semaphore.Weighted
	gate     gate
}

func (e *entry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !e.gate.enter() {
		send(w, answer.Problem(&keg.BusyError{Problem: "KEG is stopping", After: time.Second}))
		return
	}
	defer e.gate.leave()
	defer e.recover(w, r)
	if r.Method != http.MethodPost {
		a := answer.Status(http.StatusMethodNotAllowed, "events are sent with POST, on any path")
		a.Headers.Set("Allow", http.MethodPost)
		send(w, a)
		return
	}
	batch, release, err := e.read(w, r)
	defer release()
	if err != nil {
		a := refusal(err)
		e.note(r, a.Status, err)
		send(w, a)
		return
	}
	for _, one := range batch.Entries {
		if one.Err != nil {
			e.note(r, http.StatusMultiStatus, one.Err)
			break // one line for a request, however many of its events are bad
		}
	}
	send(w, answer.Of(batch.Publish(r.Context(), e.handle), batch.IsBatch))
}

// read takes the request's body in, within its limits, and decodes it. The bytes
// count as buffered until the function that it returns is called.
func (e *entry) read(w http.ResponseWriter, r *http.Request) (cloudevents.Batch, func(), error) {
	limit := e.events.MaxBytes
	if limit <= 0 {
		limit = cloudevents.DefaultMaxBytes
	}
	none := func() {}
	if r.ContentLength > limit {
		return cloudevents.Batch{}, none, &keg.TooLargeError{What: "body", Limit: limit, Unit: "bytes"}
	}
	size := r.ContentLength
	if size < 0 || r.Header.Get("Content-Encoding") != "" {
		size = limit
	}
	if !e.buffered.TryAcquire(size) {
		return cloudevents.Batch{}, none, &keg.BusyError{Problem: "too many bytes of requests are in flight", After: time.Second}
	}
	release := func() { e.buffered.Release(size) }
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		return cloudevents.Batch{}, release, bodyError(err, limit)
	}
	batch, err := cloudevents.FromRequest(&cloudevents.Request{
		Method: r.Method, Scheme: "http", Host: r.Host, Path: r.URL.EscapedPath(),
		Headers: headers(r), Body: body, ID: requestID(r.Header), Received: time.Now().UTC(),
	}, e.events)
	return batch, release, err
}

func bodyError(err error, limit int64) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return &keg.TooLargeError{What: "body", Limit: limit, Unit: "bytes"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSlow
	}
	return &keg.InvalidError{Problem: "the body ended before it was whole"}
}

var errSlow = errors.New("the body did not arrive in time")

// refusal answers a request that never came to be an event. One that was too
// slow may try again, which 400 would deny.
func refusal(err error) answer.Answer {
	if errors.Is(err, errSlow) {
		return answer.Status(http.StatusRequestTimeout, errSlow.Error())
	}
	return answer.Problem(err)
}

// headers are the request's, as an event holds them; net/http keeps Host apart.
func headers(r *http.Request) keg.Headers {
	h := make(keg.Headers, len(r.Header)+1)
	for name, values := range r.Header {
		h[strings.ToLower(name)] = values
	}
	h["host"] = []string{r.Host}
	return h
}

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

// recover answers for a panic, so that one event cannot end the process.
func (e *entry) recover(w http.ResponseWriter, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler {
		panic(cause)
	}
	e.log.Error("a panic while an event was handled", "source", "http", "path", r.URL.Path, "panic", cause, "stack", string(debug.Stack()))
	send(w, answer.Status(http.StatusInternalServerError, "KEG failed on this event; its log says why"))
}

// note logs a request that was refused before anybody took it.
func (e *entry) note(r *http.Request, status int, err error) {
	e.log.Warn("a request was refused", "source", "http", "status", status, "remote", r.RemoteAddr, "path", r.URL.Path, "error", err)
}

func send(w http.ResponseWriter, a answer.Answer) {
	header := w.Header()
	for name, values := range a.Headers {
		header[name] = values
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // a sender that is gone hears nothing; its event is still its own
}
