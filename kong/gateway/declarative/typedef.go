package declarative

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The rules that Kong has as functions, in its words.

// nameProblem: of ASCII, a name has letters, digits and . - _ ~ only.
func nameProblem(v string) string {
	if at := badUTF8(v); at > 0 {
		return fmt.Sprintf("invalid utf-8 character sequence detected at position %d", at)
	}
	for _, r := range v {
		if r < 0x80 && !isAlphanumeric(r) && !strings.ContainsRune(".-_~", r) {
			return fmt.Sprintf("invalid value '%s': the only accepted ascii characters are alphanumerics or ., -, _, and ~", text(v))
		}
	}
	return ""
}

// tagProblem: a tag has neither of the signs that a filter by tags has.
func tagProblem(v string) string {
	if at := badUTF8(v); at > 0 {
		return fmt.Sprintf("invalid utf-8 character sequence detected at position %d", at)
	}
	for _, r := range v {
		if r < ' ' || r == 0x7f || r == ',' || r == '/' {
			return fmt.Sprintf("invalid tag '%s': expected printable ascii (except `,` and `/`) or valid utf-8 sequences", text(v))
		}
	}
	return ""
}

// hostProblem looks at the signs only, not at the form.
func hostProblem(v string) string {
	for _, r := range v {
		if !isAlphanumeric(r) && !strings.ContainsRune(".-_*:[]", r) {
			return "invalid hostname: " + text(v)
		}
	}
	return ""
}

func isAlphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// badUTF8 is the place, from 1, of the first byte that is not UTF-8, 0 if all is.
func badUTF8(v string) int {
	for i, r := range v {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(v[i:]); size == 1 {
				return i + 1
			}
		}
	}
	return 0
}
