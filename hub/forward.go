package hub

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/kong/keg"
)

// forward names the headers of a request that may travel on with its event, in
// lower case.
type forward []string

// forwardAll leaves an event as it is. No header has that name.
var forwardAll = forward{"*"}

// storyPrefix begins the headers that tell a dead letter's story. A stranger
// must not be able to write one.
const storyPrefix = "keg-dlq-"

func parseForward(names []string) (forward, error) {
	var errs []error
	var f forward
	for _, name := range names {
		lower := strings.ToLower(name)
		switch {
		case !httpguts.ValidHeaderFieldName(name) || name == "*":
			errs = append(errs, fmt.Errorf("forward_headers: %q is no header name; each header is named in full", name))
		case keg.OneHop(lower), keg.OneMessage(lower), strings.HasPrefix(lower, storyPrefix), lower == keg.HopsHeader:
			errs = append(errs, fmt.Errorf("forward_headers: %q cannot be forwarded: it belongs to one message, and each destination gets its own", name))
		case !slices.Contains(f, lower):
			f = append(f, lower)
		}
	}
	return f, errors.Join(errs...)
}

// strip returns e with no other headers than the named ones, and the count of its
// hops. It copies e where it must: routes, and the caller, may still look at all
// of them.
func (f forward) strip(e *keg.Event) *keg.Event {
	if len(e.Headers) == 0 || len(f) == 1 && f[0] == forwardAll[0] {
		return e
	}
	stripped := *e
	stripped.Headers = nil
	for _, name := range f {
		values, ok := e.Headers[name]
		// A header that Connection names is of one hop too (RFC 9110, 7.6.1).
		if !ok || httpguts.HeaderValuesContainsToken(e.Headers["connection"], name) {
			continue
		}
		if stripped.Headers == nil {
			stripped.Headers = make(keg.Headers, len(f))
		}
		stripped.Headers[name] = values
	}
	if hops := e.Headers[keg.HopsHeader]; hops != nil {
		if stripped.Headers == nil {
			stripped.Headers = make(keg.Headers, 1)
		}
		stripped.Headers[keg.HopsHeader] = hops
	}
	return &stripped
}
