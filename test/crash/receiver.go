package main

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kong/keg/test/ports"
)

// receiver is what the events go to: an HTTP server that sometimes fails.
type receiver struct {
	ledger *ledger
	// well is set when it has stopped failing.
	well    atomic.Bool
	address string

	mu     sync.Mutex
	random *rand.Rand
	server *http.Server // nil while it is away
	away   *time.Timer
	ended  bool
}

func startReceiver(l *ledger, random *rand.Rand) (*receiver, error) {
	r := &receiver{ledger: l, random: random}
	var err error
	if r.address, err = ports.Free(); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r, r.listen()
}

// listen takes the address, the same one each time. mu is held.
func (r *receiver) listen() error {
	listener, err := ports.Listen(r.address)
	if err != nil {
		return err
	}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
	go func(s *http.Server) { _ = s.Serve(listener) }(r.server)
	return nil
}

// leave has nobody listen for a while.
func (r *receiver) leave(length time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.server == nil || r.ended {
		return
	}
	_ = r.server.Close()
	r.server = nil
	r.away = time.AfterFunc(length, r.comeBack)
}

func (r *receiver) comeBack() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended || r.server != nil {
		return
	}
	if err := r.listen(); err != nil { // some connection's own port, for a moment
		r.away = time.AfterFunc(10*time.Millisecond, r.comeBack)
	}
}

func (r *receiver) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	if r.away != nil {
		r.away.Stop()
	}
	if r.server != nil {
		_ = r.server.Close()
	}
}

// answer is what becomes of one request.
type answer int

const (
	takes       answer = iota
	takesSilent        // takes the event, and cuts the connection instead of saying so
	fails              // 500
	isBusy             // 503 with Retry-After: 0
	hangs              // until the client gives up
	cuts               // the connection
	slowlyTakes        // within the client's patience
	answers            // how many there are
)

// draw decides on a request: most are taken.
func (r *receiver) draw() answer {
	if r.well.Load() {
		return takes
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.random.IntN(100) >= 8 {
		return takes
	}
	return answer(r.random.IntN(int(answers)))
}

// slow is how long a taken event may take, at most, to be told of as such.
const slow = attemptTimeout / 4

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	began := time.Now()
	destination := slices.Index(destinations, request.URL.Path)
	body, err := io.ReadAll(request.Body)
	if err != nil { // the node was killed while it sent
		panic(http.ErrAbortHandler)
	}
	if destination < 0 {
		r.ledger.note(damaged, "a request came to %s", request.URL.Path)
		w.WriteHeader(http.StatusNotFound)
		return
	}
	e, err := decode(body)
	if err == nil {
		err = sameAttributes(e, request.Header)
	}
	if err != nil {
		r.ledger.note(damaged, "%s: event %q %v", request.URL.Path, request.Header.Get("Ce-Id"), err)
		return
	}
	if !r.ledger.arrive(e, destination) {
		return // and is taken, so that it does not come again
	}
	switch r.draw() {
	case takesSilent:
		r.ledger.take(e, destination, false)
		panic(http.ErrAbortHandler)
	case fails:
		w.WriteHeader(http.StatusInternalServerError)
	case isBusy:
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
	case hangs:
		pause(request.Context(), 2*attemptTimeout)
		panic(http.ErrAbortHandler)
	case cuts:
		panic(http.ErrAbortHandler)
	case slowlyTakes:
		pause(request.Context(), slow/2)
		fallthrough
	default:
		r.ledger.take(e, destination, time.Since(began) < slow && request.Context().Err() == nil)
	}
}

// sameAttributes sees to it that the attributes are those that were sent.
func sameAttributes(e event, h http.Header) error {
	for name, want := range attributes(e) {
		if got := h.Get(name); got != want {
			return errors.New("has " + name + " " + got + ", not " + want)
		}
	}
	return nil
}

// attributes are an event's, as HTTP's headers.
func attributes(e event) map[string]string {
	return map[string]string{
		"Ce-Specversion": "1.0", "Ce-Id": e.id(), "Ce-Source": e.source(), "Ce-Type": kinds[e.Kind].eventType,
		"Ce-Partitionkey": e.Key, "Content-Type": "application/json",
	}
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, length time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(length):
	}
}
