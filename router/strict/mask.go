package strict

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// reveal notes what must not be seen in a message.
func (d *Decoder) reveal(value string) {
	if value != "" && !slices.Contains(d.revealed, value) {
		d.revealed = append(d.revealed, value)
	}
}

// masked takes out of a message that others wrote whatever came from variables
// and files: the values themselves, and words of three letters and more that
// are parts of them, for a validator quotes the host or the user of an address
// rather than the whole.
func (d *Decoder) masked(message string) string {
	for _, value := range d.revealed {
		if len(value) >= 3 {
			message = strings.ReplaceAll(message, value, "***")
		}
		message = maskWords(message, value)
	}
	return message
}

// Masked takes out of a text what came from variables and files, as it stands
// there or as a URL's path spells it. What is shorter than three letters stays:
// it is no secret, and would garble every text.
func (d *Decoder) Masked(text string) string {
	for _, value := range d.revealed {
		if len(value) >= 3 {
			text = strings.ReplaceAll(text, value, "***")
			text = strings.ReplaceAll(text, (&url.URL{Path: value}).EscapedPath(), "***")
		}
	}
	return text
}

func maskWords(message, value string) string {
	var b strings.Builder
	inside := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '-' || r == '.'
	}
	for message != "" {
		end := strings.IndexFunc(message, func(r rune) bool { return !inside(r) })
		if end < 0 {
			end = len(message)
		}
		if word := message[:end]; word == value || len(word) >= 3 && strings.Contains(value, word) {
			b.WriteString("***")
		} else {
			b.WriteString(word)
		}
		_, size := utf8.DecodeRuneInString(message[end:])
		b.WriteString(message[end : end+size])
		message = message[end+size:]
	}
	return b.String()
}

// longest is how much of a value a message shows.
const longest = 60

func shown(text string) string {
	if utf8.RuneCountInString(text) <= longest {
		return text
	}
	return string([]rune(text)[:longest]) + "…"
}

func quoted(text string) string { return strconv.Quote(shown(text)) }

// clean keeps a message on its line.
func clean(message string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, message)
}
