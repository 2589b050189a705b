package outbox

import "strings"

// maxError bounds how much of a destination's words is kept, in bytes.
const maxError = 1024

// OneLine makes an error's text fit to be kept and shown: valid UTF-8 of a
// bounded length, without control characters. A destination wrote part of it.
func OneLine(text string) string {
	if len(text) > maxError {
		text = text[:maxError] // a rune cut in two goes with what is no UTF-8
	}
	text = strings.ToValidUTF8(text, "")
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7F && r <= 0x9F {
			return ' '
		}
		return r
	}, text)
}
