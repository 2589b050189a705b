package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kong/keg/kong/gateway/declarative"
)

// adminHandler is the part of Kong's Admin API that the stand-in has.
func (g *Gateway) adminHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		reply := g.administer(r)
		header := w.Header()
		header.Set("Access-Control-Allow-Origin", "*")
		if reply.status != http.StatusNoContent && reply.status != http.StatusNotModified {
			header.Set("Content-Type", "application/json; charset=utf-8")
			header.Set("Content-Length", strconv.Itoa(len(reply.body)))
		}
		header.Set("X-Kong-Admin-Latency", strconv.FormatInt(time.Since(began).Milliseconds(), 10))
		header.Set("Server", token)
		if reply.allow != "" {
			header.Set("Allow", reply.allow)
		}
		if r.Method == http.MethodOptions && reply.allow != "" {
			header.Set("Access-Control-Allow-Methods", reply.allow)
			header.Set("Access-Control-Allow-Headers", "Content-Type")
		}
		w.WriteHeader(reply.status)
		_, _ = w.Write(reply.body)
	})
}

// adminReply is one answer of the Admin API.
type adminReply struct {
	status int
	body   []byte
	allow  string
}

func jsonReply(status int, value any) adminReply {
	body, err := json.Marshal(value)
	if err != nil {
		return message(http.StatusInternalServerError, "An unexpected error occurred")
	}
	return adminReply{status: status, body: body}
}

func message(status int, text string) adminReply {
	return jsonReply(status, map[string]string{"message": text})
}

func notFound() adminReply { return message(http.StatusNotFound, "Not found") }

var errNotFound = errors.New("there is no such entity")

// errorReply is what Kong answers to an error.
func (g *Gateway) errorReply(err error) adminReply {
	var refused *declarative.Error
	switch {
	case errors.Is(err, errNotFound):
		return notFound()
	case errors.As(err, &refused):
		return adminReply{status: refused.Status(), body: refused.Body()}
	default:
		g.log.Error("the Admin API failed", "error", err)
		return message(http.StatusInternalServerError, "An unexpected error occurred")
	}
}

// endpoint is what can be done at one path, by method; HEAD and OPTIONS come of
// themselves.
type endpoint map[string]func(*http.Request) adminReply

func (e endpoint) allow() string {
	methods := append(slices.Collect(maps.Keys(e)), http.MethodOptions)
	if e[http.MethodGet] != nil {
		methods = append(methods, http.MethodHead)
	}
	slices.Sort(methods)
	return strings.Join(methods, ", ")
}

func (g *Gateway) administer(r *http.Request) (reply adminReply) {
	defer func() {
		if p := recover(); p != nil {
			g.log.Error("panic in the stand-in's Admin API", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			reply = message(http.StatusInternalServerError, "An unexpected error occurred")
		}
	}()
	e := g.endpoint(r)
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	switch serve := e[method]; {
	case e == nil:
		return notFound()
	case serve != nil:
		return serve(r)
	case method == http.MethodOptions:
		return adminReply{status: http.StatusNoContent, allow: e.allow()}
	default:
		reply := message(http.StatusMethodNotAllowed, "Method not allowed")
		reply.allow = e.allow()
		return reply
	}
}
