package sources

import (
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
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
	rejected func(error) // nil: nobody
	events   cloudevents.Options
	log      *slog.Logger
	refusals *answer.Refusals
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
		w.Header().Set("Allow", http.MethodPost)
		send(w, answer.Status(http.StatusMethodNotAllowed, "events are sent with POST, on any path"))
		return
	}
	in := &metered{buffered: e.buffered}
	defer in.release()
	batch, err := e.read(w, r, in)
	if err != nil {
		a := refusal(err)
		e.reject(err)
		e.note(r, a, err)
		send(w, a)
		return
	}
	for _, entry := range batch.Entries {
		e.reject(entry.Err)
	}
	receipts := batch.Publish(r.Context(), e.handle)
	a := answer.Of(receipts, batch.IsBatch)
	if count, first := receipts.Refused(); count > 0 {
		e.note(r, a, first.Err, slog.String("id", first.ID), slog.Int("refused", count), slog.Int("events", len(receipts)))
	}
	send(w, a)
}

// reject tells whoever counts of what came and is no event; err is nil where it is
// one.
func (e *entry) reject(err error) {
	if e.rejected != nil && err != nil {
		e.rejected(err)
	}
}

// refusal answers a request that never came to be an event. One that was too
// slow may try again, which 400 would deny.
func refusal(err error) answer.Answer {
	if errors.Is(err, errSlow) {
		return answer.Status(http.StatusRequestTimeout, errSlow.Error())
	}
	return answer.Problem(err)
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

// note logs a request that was refused, whole or in part: one line, with the
// first reason.
func (e *entry) note(r *http.Request, a answer.Answer, err error, more ...slog.Attr) {
	e.refusals.Note(r.Context(), a, "a request was refused", append([]slog.Attr{
		slog.Int("status", a.Status), slog.String("remote", r.RemoteAddr),
		slog.String("path", r.URL.Path), slog.Any("error", err),
	}, more...)...)
}

func send(w http.ResponseWriter, a answer.Answer) {
	header := w.Header()
	for name, values := range a.Headers {
		header[name] = values
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // a sender that is gone hears nothing; its event is still its own
}
