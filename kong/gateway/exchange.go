package gateway

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/kong/keg/kong/gateway/declarative"
)

// exchange is one request and its answer on the way through the phases. One
// goroutine works on it until the answer is sent; the log phases read it after.
type exchange struct {
	g      *Gateway
	state  *state
	worker int
	id     string // X-Kong-Request-Id
	start  time.Time
	phase  string

	in      *http.Request
	out     http.ResponseWriter
	client  net.Addr
	local   net.Addr
	request request
	match   *match
	chain   []*applied // what runs on this request
	running *applied   // what runs now

	body     *body
	upstream target
	answer   answer
	// exited: a plugin, or an error, has made the answer; the rest of the access
	// phase is skipped.
	exited bool
	source string // where the answer comes from: service, exit, error

	shared, ctx map[string]any
	serialized  map[string]any // kong.log.set_serialize_value
	kept        []io.Closer
	latency     latency
	tries       declarative.Array
}

// request is what the client asked for, as plugins see it and change it.
type request struct {
	method  string
	uri     string // as it came: path and query
	rawPath string
	path    string // normalized
	query   string
	headers fields
	size    int64 // of the head on the wire
}

// answer is what the client gets.
type answer struct {
	status  int
	headers fields
	body    []byte
	stream  io.ReadCloser // instead of body
	length  int64         // of the body; -1: unknown
	sent    int64         // bytes of the answer, head included
}

// latency holds milliseconds, -1 for what did not happen.
type latency struct {
	kong, upstream, receive, request int64
}

func newExchange(g *Gateway, w http.ResponseWriter, r *http.Request) *exchange {
	conn := connOf(r.Context())
	e := &exchange{
		g: g, state: g.current(), worker: conn.worker, id: newRequestID(), start: time.Now(),
		in: r, out: w, client: conn.RemoteAddr(), local: conn.LocalAddr(),
		shared: map[string]any{}, ctx: map[string]any{},
		latency: latency{upstream: -1},
	}
	e.request = readRequest(r, conn)
	e.body = &body{e: e}
	return e
}

func readRequest(r *http.Request, conn *conn) request {
	q := request{method: r.Method, uri: r.RequestURI}
	if !strings.HasPrefix(q.uri, "/") { // absolute form, or *
		q.uri = r.URL.RequestURI()
	}
	q.rawPath, q.query, _ = strings.Cut(q.uri, "?")
	q.path = normalize(q.rawPath)
	q.headers = conn.fieldsOf(r)
	q.size = int64(len(r.Method) + 1 + len(r.RequestURI) + 1 + len(r.Proto) + 4)
	for _, h := range q.headers {
		q.size += int64(len(h.name) + len(h.value) + 4)
	}
	return q
}

// Keep is for connections whose event was abandoned; see pluginserver.Caller.
func (e *exchange) Keep(c io.Closer) { e.kept = append(e.kept, c) }

// finish gives back what the request held.
func (e *exchange) finish() {
	for _, c := range e.kept {
		c.Close()
	}
	e.kept = nil
	e.body.close()
}

func (e *exchange) millis() int64 { return time.Since(e.start).Milliseconds() }

// exit makes the answer, in place of the upstream.
func (e *exchange) exit(source string, status int, body []byte) {
	e.exited, e.source = true, source
	e.answer.status, e.answer.body = status, body
	e.answer.length = int64(len(body))
}

func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func newUUID() string { return uuid.NewString() }

// conn is a client's connection: it belongs to one of Kong's workers.
type conn struct {
	net.Conn
	worker int
	wire   wireTap
}

type connKey struct{}

func connOf(ctx context.Context) *conn { return ctx.Value(connKey{}).(*conn) }
