package plugins

import "strings"

// redacted stands for what was taken out: Kong's own word.
const redacted = "REDACTED"

// query takes out of a URI the values of arguments that are taken out of
// request.querystring, for they stand in both.
func (r redactions) query(uri string) string {
	if len(r) == 0 {
		return uri
	}
	before, query, ok := strings.Cut(uri, "?")
	if !ok || query == "" {
		return uri
	}
	if r.here() {
		return before + "?" + redacted
	}
	var out strings.Builder
	out.WriteString(before)
	separator := byte('?')
	for argument := range strings.SplitSeq(query, "&") {
		out.WriteByte(separator)
		separator = '&'
		name, _, valued := strings.Cut(argument, "=")
		if valued && r.names(unescape(name)) {
			argument = name + "=" + redacted
		}
		out.WriteString(argument)
	}
	return out.String()
}

// names reports whether something of the argument of that name is taken out.
func (r redactions) names(name string) bool {
	for _, path := range r {
		if path[0].any || strings.EqualFold(path[0].name, name) {
			return true
		}
	}
	return false
}

// unescape undoes percent-encoding as nginx does, which leaves alone what is no
// escape.
func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			out = append(out, ' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			out = append(out, hexDigit(s[i+1])<<4|hexDigit(s[i+2]))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out)
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func hexDigit(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
