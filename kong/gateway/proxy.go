package gateway

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/kong/keg/kong/gateway/pluginserver"
)

// lingering is nginx's lingering_timeout.
const lingering = 5 * time.Second

// proxyHandler runs a request through Kong's phases.
func (g *Gateway) proxyHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.background.Add(1)
		defer g.background.Done()
		g.requests.Add(1)
		g.active.Add(1)
		defer g.active.Add(-1)
		control := http.NewResponseController(w)
		// An answer does not wait for the rest of a body that nobody wants; what
		// comes of it is read for a while, as nginx lingers.
		_ = control.EnableFullDuplex()
		defer func() { _ = control.SetReadDeadline(time.Now().Add(min(lingering, g.o.ClientTimeout))) }()
		e := newExchange(g, w, r)
		defer e.finish()
		e.run()
		e.send()
		e.log()
		e.linger(control)
	})
}

// linger takes in what is left of a body that nobody wanted. If net/http did it,
// it would begin to watch the connection as it reads the next request from it, and
// panic: it takes no care of that after an answer in full duplex.
func (e *exchange) linger(control *http.ResponseController) {
	if e.body.read || e.in.Header.Get("Expect") != "" { // whose sender waits for a word that does not come
		return
	}
	_ = control.Flush()
	_ = control.SetReadDeadline(time.Now().Add(min(lingering, e.g.o.ClientTimeout)))
	_, _ = io.CopyN(io.Discard, e.in.Body, maxLinger)
}

// maxLinger is more than net/http takes in before it gives a connection up.
const maxLinger = 256<<10 + 1

// run makes the answer.
func (e *exchange) run() {
	defer func() {
		if p := recover(); p != nil {
			e.g.log.Error("panic in the stand-in", "request_id", e.id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			e.fail(http.StatusInternalServerError)
		}
	}()
	e.chain = e.state.global
	if most := e.g.o.ClientMaxBodySize; most > 0 && e.in.ContentLength > most {
		e.fail(http.StatusRequestEntityTooLarge)
		return
	}
	if e.runPhase("rewrite"); e.exited {
		return
	}
	if !e.route() {
		return
	}
	if e.runPhase("access"); e.exited {
		return
	}
	if e.match.route.Service == nil && e.upstream.host == "" {
		e.failWith(http.StatusServiceUnavailable, "no Service found with those values")
		return
	}
	if e.proxy(); e.source == "service" {
		e.runPhase("response")
	}
}

// route finds the route, the plugins on it, and where the request is to go.
func (e *exchange) route() bool {
	q := &e.request
	e.match = e.state.router.find(q.method, q.headers.get("host"), q.path, q.headers)
	if e.match == nil {
		e.failWith(http.StatusNotFound, "no Route matched with those values")
		return false
	}
	e.chain = e.state.byRoute[e.match.route]
	if r := e.match.route; !slices.Contains(r.Protocols, "http") {
		e.answer.headers.set("Connection", "Upgrade")
		e.answer.headers.set("Upgrade", "TLS/1.2, HTTP/1.1")
		e.failWith(r.HTTPSRedirectStatusCode, "Please use HTTPS protocol")
		return false
	}
	e.aim()
	return true
}

// runPhase runs one phase of every plugin that has it, in order, until one of
// them exits or fails.
func (e *exchange) runPhase(phase string) {
	e.phase = phase
	chain := e.chain
	if phase == "rewrite" {
		chain = e.state.global
	}
	for _, a := range chain {
		if !a.has(phase) {
			continue
		}
		e.running = a
		if a.remote == nil {
			e.terminate(a)
		} else if err := a.remote.Handle(e.g.hard, e.worker, a.wire, phase, e); err != nil {
			e.g.logFailure(e, err)
			e.fail(http.StatusInternalServerError)
		}
		if e.exited {
			return
		}
	}
}

func (g *Gateway) logFailure(e *exchange, err error) {
	var f *pluginserver.Failure
	if errors.As(err, &f) {
		g.log.Error("plugin failed", "plugin", f.Plugin, "doing", f.Doing, "error", f.Unwrap(), "request", e.request.method+" "+e.request.rawPath, "request_id", e.id)
		return
	}
	g.log.Error("plugin failed", "error", err, "request_id", e.id)
}

// buffers reports whether a plugin looks at the upstream's answer, so that it has
// to be read whole before it is sent.
func (e *exchange) buffers() bool {
	return slices.ContainsFunc(e.chain, func(a *applied) bool { return a.has("response") })
}
