package gateway

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// maxTap is how much of what a client sent last is kept; it holds every head
// that the server reads.
const maxTap = 2 * maxHead

// wireTap keeps what a connection read last, because net/http forgets the order
// of header fields, and Kong's get_headers(most) goes by it.
type wireTap struct {
	mu   sync.Mutex
	last []byte
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	if len(c.wire.last)+n > maxTap { // drop the older half
		keep := c.wire.last[max(0, len(c.wire.last)-maxTap/2):]
		c.wire.last = c.wire.last[:copy(c.wire.last, keep)]
	}
	c.wire.last = append(c.wire.last, p[max(0, n-maxTap):n]...)
	return n, err
}

// fieldsOf returns the header fields of a request in the order of the wire. What
// was tapped must say the same as net/http read; else the order is Host first,
// then by name.
func (c *conn) fieldsOf(r *http.Request) fields {
	read := map[string][]string{"Host": {r.Host}}
	if len(r.TransferEncoding) > 0 {
		read["Transfer-Encoding"] = r.TransferEncoding
	}
	for name, values := range r.Header {
		read[name] = values
	}
	if names := c.order(r); names != nil {
		var ordered fields
		used := map[string]int{}
		for _, name := range names {
			values := read[canonical(name)]
			i := used[canonical(name)]
			if i >= len(values) {
				ordered = nil
				break
			}
			used[canonical(name)]++
			ordered = append(ordered, field{name, values[i]})
		}
		if complete(read, used) && ordered != nil {
			return ordered
		}
	}
	delete(read, "Host")
	sorted := fields{{"Host", r.Host}}
	for _, name := range slices.Sorted(maps.Keys(read)) {
		for _, v := range read[name] {
			sorted = append(sorted, field{name, v})
		}
	}
	return sorted
}

func complete(read map[string][]string, used map[string]int) bool {
	for name, values := range read {
		if used[name] != len(values) {
			return false
		}
	}
	return true
}

// order returns the names of the header fields of the request on the wire, as
// they were written, or nil.
func (c *conn) order(r *http.Request) []string {
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	line := []byte(r.Method + " " + r.RequestURI + " " + r.Proto + "\r\n")
	at := bytes.LastIndex(c.wire.last, line)
	if at < 0 {
		return nil
	}
	head := c.wire.last[at+len(line):]
	end := bytes.Index(head, []byte("\r\n\r\n"))
	if end < 0 {
		return nil
	}
	var names []string
	for _, l := range strings.Split(string(head[:end]), "\r\n") {
		name, _, ok := strings.Cut(l, ":")
		if !ok {
			return nil
		}
		names = append(names, name)
	}
	return names
}
