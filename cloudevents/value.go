package cloudevents

import (
	"strings"
	"unicode/utf8"

	"github.com/kong/keg"
)

// encodeValue writes an attribute as a header value (HTTP binding, section
// 3.1.3.2): space, `"`, `%` and all outside U+0021 to U+007E percent-encoded.
func encodeValue(value string) string {
	escapes := 0
	for i := range len(value) {
		if mustEscape(value[i]) {
			escapes++
		}
	}
	if escapes == 0 {
		return value
	}
	var b strings.Builder
	b.Grow(len(value) + 2*escapes)
	for i := range len(value) {
		if c := value[i]; mustEscape(c) {
			writeEscaped(&b, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func writeEscaped(b *strings.Builder, c byte) {
	const upperHex = "0123456789ABCDEF"
	b.WriteByte('%')
	b.WriteByte(upperHex[c>>4])
	b.WriteByte(upperHex[c&15])
}

func mustEscape(c byte) bool { return c <= ' ' || c == '"' || c == '%' || c > '~' }

// decodeValue reads an attribute from a header value: a quoted string is undone
// first, then one round of percent-encoding. A `%` that two hexadecimal digits
// do not follow stands for itself, since senders that do not encode exist. What
// comes out must be UTF-8.
func decodeValue(name, value string) (string, error) {
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = unquote(value[1 : len(value)-1])
	}
	if strings.IndexByte(value, '%') >= 0 {
		value = unescape(value)
	}
	if !utf8.ValidString(value) {
		return "", &keg.InvalidError{Attribute: name, Problem: "is not UTF-8"}
	}
	return value, nil
}

// unquote undoes the quoted pairs of a quoted string (RFC 9110, section 5.6.4).
func unquote(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

func unescape(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && escapeAt(s, i) {
			b = append(b, byte(hexDigit(s[i+1])<<4|hexDigit(s[i+2])))
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

// escapeAt reports whether two hexadecimal digits follow s[i], a percent sign.
func escapeAt(s string, i int) bool {
	return i+2 < len(s) && hexDigit(s[i+1]) >= 0 && hexDigit(s[i+2]) >= 0
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
