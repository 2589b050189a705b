package plugins

import "testing"

// BenchmarkLogEntry is what it costs to make an event's data of an entry of a
// running Kong, in the background.
func BenchmarkLogEntry(b *testing.B) {
	text := []byte(recorded(b, "proxied"))
	for _, bench := range []struct{ name, config string }{
		{"as it comes", `{"redact_credentials":false}`},
		{"by default", `{}`},
		{"with fields and paths", `{"custom_fields":{"environment":"test","request.team":"shop"},"redact":["request.headers.x-token","request.querystring.token","tries.ip"]}`},
	} {
		rules := rulesOf(b, bench.config)
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := rules.read(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("its id alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if requestIDOf(string(text)) == "" {
				b.Fatal("none")
			}
		}
	})
}
