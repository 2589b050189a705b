package cloudevents

import (
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/kong/keg"
)

// connectionOptions yields what Connection names, in lower case: the headers
// that are meant for one hop.
func connectionOptions(h keg.Headers) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, value := range h["connection"] {
			for option := range strings.SplitSeq(value, ",") {
				if !yield(strings.ToLower(strings.TrimSpace(option))) {
					return
				}
			}
		}
	}
}

// forwardable takes out of h what must not travel further: headers for one hop
// (RFC 9110, section 7.6.1), and every name or value that is no legal header
// text. A header is given up for that, the event is not.
func forwardable(h keg.Headers) {
	if _, ok := h["connection"]; ok {
		for option := range connectionOptions(h) {
			if option != "connection" {
				delete(h, option)
			}
		}
	}
	for name, values := range h {
		if keg.OneHop(name) || !isToken(name) {
			delete(h, name)
			continue
		}
		kept := values[:0]
		for _, value := range values {
			if isFieldText(value) {
				kept = append(kept, value)
			}
		}
		switch len(kept) {
		case len(values):
		case 0:
			delete(h, name)
		default:
			h[name] = kept
		}
	}
}

// isToken reports whether name is a legal header name (RFC 9110, section 5.6.2).
func isToken(name string) bool {
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return name != ""
}

// isFieldText reports whether a header value is UTF-8 without control
// characters, but for the tab, which HTTP allows.
func isFieldText(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7F {
			return false
		}
	}
	return utf8.ValidString(value)
}
