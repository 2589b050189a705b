package server

import (
	"strings"
	"testing"
)

// FuzzLineBreaks is for the eight bytes that are looked at together.
func FuzzLineBreaks(f *testing.F) {
	f.Add("plain enough to be looked at in eights\n")
	f.Add("\x0f\x10\x7f\x80\xff\x0a\x0b\x0c\x0d\x0e")
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := breaksLines(s), strings.ContainsAny(s, "\r\n\x00"); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	})
}
