package outbox_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kong/keg/outbox"
)

func TestOneLine(t *testing.T) {
	long := strings.Repeat("é", 1024)
	for _, text := range []string{"a\r\nb", "nul\x00", "\x85 next line", "bad \xff utf-8", long, "del\x7f"} {
		got := outbox.OneLine(text)
		if !utf8.ValidString(got) || len(got) > 1024 || strings.ContainsAny(got, "\r\n\x00\x7f\u0085") {
			t.Errorf("%q became %q", text, got)
		}
	}
	if got := outbox.OneLine("plain – text"); got != "plain – text" {
		t.Errorf("%q", got)
	}
}
