package console

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/kong/keg"
	"github.com/kong/keg/answer"
	"github.com/kong/keg/outbox"
)

// The paths of the dead-letter calls. One dead letter is at /deadletters/ID.
const (
	deadLettersPath = "/deadletters"
	replayPath      = deadLettersPath + "/replay"
	dropPath        = deadLettersPath + "/drop"
)

// calls answers the dead-letter calls.
type calls struct {
	*Server
	letters DeadLetters
	running context.Context // ends when the node stops
	reading *semaphore.Weighted
	working sync.Mutex // held by the one replay or drop
}

// maxReading bounds the pages, and the dead letters shown, that are in memory at
// once.
const maxReading = 4

func (s *Server) routeDeadLetters(running context.Context, mux *http.ServeMux) {
	if s.Node.Store == nil {
		none := func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, http.StatusNotFound, "this node keeps no dead letters: it runs without persistence (KEG_PERSISTENCE_ENABLE)")
		}
		mux.HandleFunc(deadLettersPath, none)
		mux.HandleFunc(deadLettersPath+"/", none)
		return
	}
	c := &calls{Server: s, letters: &Kept{Store: s.Node.Store, Republish: s.Node.Republish}, running: running, reading: semaphore.NewWeighted(maxReading)}
	mux.HandleFunc("GET "+deadLettersPath, c.bounded(c.list))
	mux.HandleFunc("GET "+deadLettersPath+"/{id}", c.bounded(c.show))
	mux.HandleFunc("POST "+replayPath, func(w http.ResponseWriter, r *http.Request) { c.work(w, r, true) })
	mux.HandleFunc("POST "+dropPath, func(w http.ResponseWriter, r *http.Request) { c.work(w, r, false) })
}

// bounded answers a few at a time. Those that wait do so for as long as leaves
// time to write the answer.
func (c *calls) bounded(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), c.timeout()/3)
		defer cancel()
		if c.reading.Acquire(ctx, 1) != nil {
			c.failed(w, &keg.BusyError{Problem: "too many are reading dead letters"})
			return
		}
		defer c.reading.Release(1)
		next(w, r)
	}
}

func (c *calls) list(w http.ResponseWriter, r *http.Request) {
	q, err := parseList(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	page, err := c.letters.List(r.Context(), q.filter, q.after, q.limit, q.data)
	if err != nil {
		c.failed(w, err)
		return
	}
	sendJSON(w, http.StatusOK, page)
}

func (c *calls) show(w http.ResponseWriter, r *http.Request) {
	d, err := c.letters.Show(r.Context(), r.PathValue("id"))
	if err != nil {
		c.failed(w, err)
		return
	}
	sendJSON(w, http.StatusOK, d)
}

// failed answers with what a call met.
func (c *calls) failed(w http.ResponseWriter, err error) {
	status, detail := c.verdict(err)
	if status == http.StatusServiceUnavailable {
		send(w, answer.Problem(&keg.BusyError{Problem: detail, After: time.Second}))
		return
	}
	refuse(w, status, detail)
}

// verdict is what may be said of an error. The log has those of which nothing
// may be.
func (c *calls) verdict(err error) (status int, detail string) {
	switch {
	case errors.Is(err, outbox.ErrNotFound):
		return http.StatusNotFound, err.Error()
	case errors.Is(err, errStops), is[*outbox.UnavailableError](err), is[*keg.BusyError](err):
		return http.StatusServiceUnavailable, err.Error()
	case errors.Is(err, ErrNoNode):
		return http.StatusConflict, err.Error()
	case is[*keg.TooLargeError](err):
		return http.StatusRequestEntityTooLarge, err.Error()
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable, "it was cut short"
	}
	c.log().Error("a dead-letter call failed", "error", err)
	return http.StatusInternalServerError, "KEG failed on this call; its log says why"
}

var errStops = errors.New("the node stops")

// report is one line of the answer to a replay or a drop.
type report struct {
	// State is running, and at last done or failed.
	State string `json:"state"`
	Progress
	Error string `json:"error,omitempty"` // why it failed
}

// work replays or drops, and answers line by line how far it is.
func (c *calls) work(w http.ResponseWriter, r *http.Request, replay bool) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		refuse(w, http.StatusUnsupportedMediaType, "the body must be application/json")
		return
	}
	selection, err := parseSelection(w, r, replay)
	switch {
	case is[*keg.TooLargeError](err):
		send(w, answer.Problem(err))
		return
	case err != nil:
		refuse(w, http.StatusBadRequest, err.Error())
		return
	case selection.ThroughRoutes && c.Node.Republish == nil:
		c.failed(w, ErrNoNode)
		return
	}
	if !c.working.TryLock() {
		refuse(w, http.StatusConflict, "a replay or a drop is under way already: wait until it is done")
		return
	}
	over := sync.OnceFunc(c.working.Unlock)
	defer over()

	ctx, stop := context.WithCancelCause(r.Context())
	defer stop(nil)
	defer context.AfterFunc(c.running, func() { stop(errStops) })()
	lines := c.newLines(w, stop)
	do, count := c.letters.Drop, c.dropped
	if replay {
		do, count = c.letters.Replay, c.replayed
	}
	progress, err := do(ctx, selection, func(p Progress) { lines.write(report{State: "running", Progress: p}) })
	count(progress.Done)
	over() // whoever reads the last line may begin the next
	if err == nil {
		lines.write(report{State: "done", Progress: progress})
		return
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	_, detail := c.verdict(err)
	lines.write(report{State: "failed", Progress: progress, Error: detail})
}

func (c *calls) replayed(n int64) {
	if c.Metrics != nil {
		c.Metrics.replayed.Add(float64(n))
	}
}

func (c *calls) dropped(n int64) {
	if c.Metrics != nil {
		c.Metrics.dropped.Add(float64(n))
	}
}

// lines writes an answer of newline-delimited JSON. A client that does not read
// ends the work, which must not wait for it.
type lines struct {
	encoder *json.Encoder
	control *http.ResponseController
	timeout time.Duration
	stop    context.CancelCauseFunc
}

func (c *calls) newLines(w http.ResponseWriter, stop context.CancelCauseFunc) *lines {
	l := &lines{json.NewEncoder(w), http.NewResponseController(w), c.timeout(), stop}
	w.Header().Set("Content-Type", "application/x-ndjson")
	return l
}

func (l *lines) write(r report) {
	err := l.control.SetWriteDeadline(time.Now().Add(l.timeout))
	if err == nil {
		err = l.encoder.Encode(r)
	}
	if err == nil {
		err = l.control.Flush()
	}
	if err != nil {
		l.stop(context.Canceled)
	}
}
