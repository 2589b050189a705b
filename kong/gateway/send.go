package gateway

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// send writes the answer with Kong's own header fields.
func (e *exchange) send() {
	e.phase = "header_filter"
	e.finalHeaders()
	header := e.out.Header()
	for _, h := range e.answer.headers {
		// The spelling is the plugin's, so that the map is written to directly.
		header[h.name] = append(header[h.name], h.value)
	}
	if !e.answer.headers.has("Content-Type") {
		header["Content-Type"] = nil // else net/http guesses one
	}
	if e.in.ProtoAtLeast(1, 1) && !e.in.Close && !e.answer.headers.has("Connection") {
		header.Set("Connection", "keep-alive")
	}
	e.out.WriteHeader(e.answer.status)
	size := e.headSize()
	if e.answer.stream == nil {
		n, _ := e.out.Write(e.answer.body)
		e.answer.sent = size + int64(n)
	} else {
		n, err := io.Copy(flushing{e.out}, e.answer.stream)
		e.answer.stream.Close()
		e.answer.sent = size + n
		if err != nil {
			e.g.log.Debug("the answer was cut off", "request_id", e.id, "error", err)
			e.latency.request = e.millis()
			e.finish()
			e.log()
			panic(http.ErrAbortHandler) // the client must not take it for whole
		}
	}
	e.latency.request = e.millis()
}

func (e *exchange) finalHeaders() {
	h := &e.answer.headers
	h.del("Transfer-Encoding") // net/http's to say
	if e.answer.stream != nil && e.in.Method != http.MethodHead {
		// Whatever a plugin says, it is as long as the upstream's.
		if h.del("Content-Length"); e.answer.length >= 0 {
			h.set("Content-Length", strconv.FormatInt(e.answer.length, 10))
		}
	}
	if e.answer.stream == nil {
		if e.answer.status != http.StatusNotModified && !(e.in.Method == http.MethodHead && h.has("Content-Length")) {
			h.set("Content-Length", strconv.Itoa(len(e.answer.body)))
		}
	}
	if e.upstream.tried {
		e.latency.kong = e.millis() - max(0, e.latency.upstream) - e.latency.receive
		h.set("X-Kong-Upstream-Latency", strconv.FormatInt(max(0, e.latency.upstream), 10))
		h.set("X-Kong-Proxy-Latency", strconv.FormatInt(e.latency.kong, 10))
		via := "1.1 " + token
		if before := h.get("Via"); before != "" && e.source == "service" {
			via = before + ", " + via
		}
		h.set("Via", via)
	} else {
		e.latency.kong = e.millis()
		h.set("X-Kong-Response-Latency", strconv.FormatInt(e.latency.kong, 10))
	}
	if !h.has("Server") {
		h.set("Server", token)
	}
	h.set("X-Kong-Request-Id", e.id)
}

// headSize is the size of the answer's head on the wire, near enough.
func (e *exchange) headSize() int64 {
	size := len(fmt.Sprintf("HTTP/1.1 %d %s\r\n\r\n", e.answer.status, http.StatusText(e.answer.status)))
	for name, values := range e.out.Header() {
		for _, v := range values {
			size += len(name) + len(v) + 4
		}
	}
	if e.out.Header()["Date"] == nil {
		size += len("Date: Mon, 02 Jan 2006 15:04:05 GMT\r\n")
	}
	return int64(size)
}

// flushing sends on at once what comes, as an event stream needs.
type flushing struct{ w http.ResponseWriter }

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err == nil {
		err = http.NewResponseController(f.w).Flush()
	}
	return n, err
}

// hopByHop are the fields that belong to one connection (RFC 9110, section 7.6.1).
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

func dropHopByHop(h *fields) {
	for _, value := range h.values("Connection") {
		for _, name := range strings.Split(value, ",") {
			if name = strings.TrimSpace(name); !slices.Contains([]string{"close", "keep-alive", ""}, strings.ToLower(name)) {
				h.del(name)
			}
		}
	}
	for _, name := range hopByHop {
		h.del(name)
	}
}
