package plugins

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The bounds on the paths of one config.
const (
	maxPaths    = 200
	maxPathSize = 512
	maxSegments = 16
)

// segment is one name of a path into a log entry.
type segment struct {
	name  string
	any   bool // "*"
	index bool // a number: an element, or a member of that name
}

// parsePath reads names joined by dots. A backslash takes the next character as
// it is: `a\.b` is one name, and `\*` a star.
func parsePath(text string) ([]segment, error) {
	if len(text) > maxPathSize {
		return nil, fmt.Errorf("is longer than %d bytes", maxPathSize)
	}
	var path []segment
	var name strings.Builder
	escaped := false
	end := func() {
		s := segment{name: name.String()}
		s.any = s.name == "*" && !escaped
		_, err := strconv.ParseUint(s.name, 10, 31)
		s.index = err == nil
		path = append(path, s)
		name.Reset()
		escaped = false
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			escaped = true
			name.WriteByte(text[i])
		case c == '.':
			end()
		default:
			name.WriteByte(c)
		}
	}
	end()
	if len(path) > maxSegments {
		return nil, fmt.Errorf("has more than %d names", maxSegments)
	}
	for _, s := range path {
		if s.name == "" {
			return nil, errors.New("has an empty name; it is names joined by dots, such as request.headers.x-token")
		}
	}
	return path, nil
}

// redactions are the paths whose values are taken out; what is left of each
// below the place where a walk of an entry is. An empty one is the place itself.
type redactions [][]segment

// here reports whether the value at this place is to be taken out.
func (r redactions) here() bool {
	for _, path := range r {
		if len(path) == 0 {
			return true
		}
	}
	return false
}

// member appends to into what is left below a member of an object. Names are
// compared in any case: a header is written in either, and what is taken out
// too often does less harm.
func (r redactions) member(into redactions, name []byte) redactions {
	for _, path := range r {
		if len(path) > 0 && (path[0].any || len(path[0].name) == len(name) && strings.EqualFold(path[0].name, string(name))) {
			into = append(into, path[1:])
		}
	}
	return into
}

// element appends to into what is left below an element of a list. A path that
// names no element means any of them, as in the `match` of a route.
func (r redactions) element(into redactions, i int) redactions {
	for _, path := range r {
		switch {
		case len(path) == 0:
		case path[0].any, path[0].index && path[0].name == strconv.Itoa(i):
			into = append(into, path[1:])
		case !path[0].index:
			into = append(into, path)
		}
	}
	return into
}

// parseRedactions reads the paths of a config.
func parseRedactions(texts []string) (redactions, error) {
	if len(texts) > maxPaths {
		return nil, fmt.Errorf("config.redact: has more than %d paths", maxPaths)
	}
	var r redactions
	var errs []error
	for i, text := range texts {
		path, err := parsePath(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("config.redact[%d]: %w", i+1, err))
			continue
		}
		r = append(r, path)
	}
	return r, errors.Join(errs...)
}

// credentials are where Kong's own authentication plugins look for one by
// default, and what sessions are known by.
var credentials = []string{
	"request.headers.authorization", "request.headers.proxy-authorization", "request.headers.cookie",
	"request.headers.apikey", "request.headers.api-key", "request.headers.x-api-key",
	"request.querystring.apikey", "request.querystring.access_token", "request.querystring.jwt",
	"response.headers.set-cookie", "response.headers.authorization",
}
