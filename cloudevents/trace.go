package cloudevents

import (
	"strings"

	"github.com/kong/keg"
)

// The attributes of the distributed tracing extension, which are also the names
// of W3C Trace Context's headers.
const (
	traceparent = "traceparent"
	tracestate  = "tracestate"
)

// inheritTrace gives an event without a trace that of the request which carried
// it. An event's own trace is kept whole: a traceparent and a tracestate of two
// origins tell lies.
func inheritTrace(e *keg.Event, h keg.Headers) {
	parents := h[traceparent]
	if len(parents) != 1 || !isTraceparent(parents[0]) {
		return
	}
	if _, ok := e.Extensions[traceparent]; ok {
		return
	}
	if _, ok := e.Extensions[tracestate]; ok {
		return
	}
	if e.Extensions == nil {
		e.Extensions = make(map[string]string, 2)
	}
	e.Extensions[traceparent] = parents[0]
	if state := strings.Join(h[tracestate], ","); state != "" && isAttributeText(state) {
		e.Extensions[tracestate] = state
	}
}

// isTraceparent reports whether a header may be followed (W3C Trace Context,
// section 3.2.2): two, 32, 16 and two lower-case hexadecimal digits, version and
// ids not void. A later version may add to them.
func isTraceparent(s string) bool {
	const length = 2 + 1 + 32 + 1 + 16 + 1 + 2
	if len(s) < length || len(s) > length && (s[:2] == "00" || s[length] != '-') || len(s) > 256 || !isFieldText(s) {
		return false
	}
	for i := range length {
		switch i {
		case 2, 35, 52:
			if s[i] != '-' {
				return false
			}
		default:
			if s[i] >= 'A' && s[i] <= 'F' || hexDigit(s[i]) < 0 {
				return false
			}
		}
	}
	return s[:2] != "ff" && strings.Trim(s[3:35], "0") != "" && strings.Trim(s[36:52], "0") != ""
}
