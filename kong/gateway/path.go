package gateway

import "strings"

// normalize is how Kong sees a path before it is matched: characters that need
// no escaping are unescaped, dot segments are resolved, and slashes merged
// (RFC 3986, section 6.2.2).
func normalize(path string) string {
	path = unescapeUnreserved(path)
	var segments []string
	for _, segment := range strings.Split(path, "/") {
		switch segment {
		case "", ".":
		case "..":
			if len(segments) > 0 {
				segments = segments[:len(segments)-1]
			}
		default:
			segments = append(segments, segment)
		}
	}
	clean := "/" + strings.Join(segments, "/")
	for _, end := range []string{"/", "/.", "/.."} {
		if strings.HasSuffix(path, end) && clean != "/" {
			return clean + "/"
		}
	}
	return clean
}

func unescapeUnreserved(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) {
			if c, ok := unhex(path[i+1], path[i+2]); ok {
				if isUnreserved(c) {
					b.WriteByte(c)
				} else {
					b.WriteString(strings.ToUpper(path[i : i+3]))
				}
				i += 2
				continue
			}
		}
		b.WriteByte(path[i])
	}
	return b.String()
}

func isUnreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

func unhex(a, b byte) (byte, bool) {
	high, ok1 := hexDigit(a)
	low, ok2 := hexDigit(b)
	return high<<4 | low, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// upstreamPath joins a service's path with what is left of a request's path, as
// path_handling v0 does: with exactly one slash between them.
func upstreamPath(base, path, prefix string, strip bool) string {
	if strip && prefix != "" {
		path = strings.TrimPrefix(path, prefix)
		if base == "" || base == "/" {
			return "/" + strings.TrimPrefix(path, "/")
		}
		if path == "" {
			return base
		}
	}
	if base == "" {
		return path
	}
	return strings.TrimSuffix(base, "/") + "/" + strings.TrimPrefix(path, "/")
}
