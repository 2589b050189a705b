package gateway

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// adminHandler is the part of Kong's Admin API that the stand-in has. It reads;
// what it can change is the whole configuration, as in a Kong without a database.
func (g *Gateway) adminHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		reply := g.administer(r)
		header := w.Header()
		header.Set("Content-Type", "application/json; charset=utf-8")
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("Content-Length", strconv.Itoa(len(reply.body)))
		header.Set("X-Kong-Admin-Latency", strconv.FormatInt(time.Since(began).Milliseconds(), 10))
		header.Set("Server", token)
		if reply.allow != "" {
			header.Set("Allow", reply.allow)
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

func notAllowed(allow string) adminReply {
	reply := message(http.StatusMethodNotAllowed, "Method not allowed")
	reply.allow = allow
	return reply
}

func (g *Gateway) administer(r *http.Request) adminReply {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	isGet := r.Method == http.MethodGet || r.Method == http.MethodHead
	get := func(reply func() adminReply) adminReply {
		if !isGet {
			return notAllowed("GET, HEAD, OPTIONS")
		}
		return reply()
	}
	switch {
	case parts[0] == "" && len(parts) == 1:
		return get(g.adminInfo)
	case parts[0] == "status" && len(parts) == 1:
		return get(g.adminStatus)
	case parts[0] == "config" && len(parts) == 1:
		if r.Method == http.MethodPost {
			return g.adminConfig(r)
		}
		return notAllowed("GET, HEAD, OPTIONS, POST")
	case parts[0] == "schemas" && len(parts) == 3 && parts[1] == "plugins" && parts[2] == "validate":
		if r.Method == http.MethodPost {
			return g.adminValidate(r)
		}
		return notAllowed("OPTIONS, POST")
	case parts[0] == "schemas" && len(parts) == 3 && parts[1] == "plugins":
		return get(func() adminReply { return g.adminSchema(parts[2]) })
	case parts[0] == "services" || parts[0] == "routes" || parts[0] == "plugins":
		if !isGet {
			return g.adminReadOnly(parts[0], r.Method)
		}
		return g.adminEntities(parts)
	default:
		return notFound()
	}
}

// adminReadOnly is what a Kong without a database says to changes of entities.
func (g *Gateway) adminReadOnly(kind, method string) adminReply {
	verbs := map[string]string{http.MethodPost: "create", http.MethodPut: "create or update", http.MethodPatch: "update", http.MethodDelete: "remove"}
	verb, ok := verbs[method]
	if !ok {
		return notAllowed("GET, HEAD, OPTIONS, POST")
	}
	return jsonReply(http.StatusMethodNotAllowed, map[string]any{
		"code": 12, "name": "operation unsupported",
		"message": "cannot " + verb + " '" + kind + "' entities when not using a database",
	})
}
