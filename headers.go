package keg

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Headers are header fields by lower-case name, each with its values in order.
type Headers map[string][]string

// Get returns the first value of a header, given its name in any case, or "".
func (h Headers) Get(name string) string {
	if values := h.Values(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Values returns all values of a header, given its name in any case. The slice
// is the map's own.
func (h Headers) Values(name string) []string {
	if values, ok := h[name]; ok {
		return values
	}
	return h[strings.ToLower(name)]
}

// Add appends a value to the header of that name, in any case.
func (h Headers) Add(name, value string) {
	name = strings.ToLower(name)
	h[name] = append(slices.Clip(h[name]), value)
}

// OneHop reports whether a header, its name in lower case, is between two
// neighbours only (RFC 9110, section 7.6.1).
func OneHop(name string) bool {
	switch name {
	case "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization",
		"te", "trailer", "transfer-encoding", "upgrade", "http2-settings":
		return true
	}
	return false
}

// OneMessage reports whether a header, its name in lower case, describes one
// message and its body, so that the next one has its own or none.
func OneMessage(name string) bool {
	switch name {
	case "content-type", "content-length", "content-encoding", "content-md5", "digest", "content-digest",
		"repr-digest", "host", "expect":
		return true
	}
	return strings.HasPrefix(name, "ce-") || strings.HasPrefix(name, "ce_")
}

// HopsHeader counts how often an event has come in to a KEG, so that routes
// which lead in a circle are found out. Each wire spells it its own way:
// Keg-Hops in HTTP, keg_hops in Kafka, keghops as an extension in JSON.
const HopsHeader = "keg-hops"

// maxHops bounds what a header can claim; far more than any hub allows.
const maxHops = 1_000_000

// Hops is how often the event has come in, by its headers; 0 where they do not
// say, or say nothing that can be read.
func Hops(e *Event) int { return e.Headers.hops() }

func (h Headers) hops() int {
	hops := 0
	for _, value := range h[HopsHeader] { // whatever a sender wrote: the largest counts
		if n, err := strconv.ParseUint(value, 10, 32); err == nil {
			hops = max(hops, int(min(n, maxHops)))
		}
	}
	return hops
}

// SetHops makes it n, in a map of the event's own. Only the event's maker may
// call it.
func SetHops(e *Event, n int) {
	headers := make(Headers, len(e.Headers)+1)
	maps.Copy(headers, e.Headers)
	headers[HopsHeader] = []string{strconv.Itoa(min(max(n, 0), maxHops))}
	e.Headers = headers
}
