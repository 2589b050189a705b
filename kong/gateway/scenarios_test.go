package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kong/keg/kong/gateway/pluginserver"
)

// TestRecordings sends the recorded requests through the gateway to a peer that
// plays the recorded plugin, and compares all that Kong's end says, to both sides.
func TestRecordings(t *testing.T) {
	many := func(n int, value string) []string {
		var f []string
		for i := 1; i <= n; i++ {
			f = append(f, fmt.Sprintf("X-Many-%d: "+value, i, i))
		}
		return f
	}
	form := "application/x-www-form-urlencoded"
	for _, c := range []struct {
		number  string
		request func(s *stage, r *recording) string
	}{
		{"02", func(s *stage, _ *recording) string { return s.curl("GET", "/hello/abc?x=1", nil) }},
		{"03", func(s *stage, _ *recording) string { return s.curl("GET", "/hello/abc?x=1", nil) }},
		{"04", func(s *stage, _ *recording) string { return s.curl("GET", "/accept", nil) }},
		{"05", func(s *stage, r *recording) string { return s.post("/accept", r.body(), "application/json") }},
		{"06", func(s *stage, r *recording) string { return s.post("/accept", r.body(), "application/json") }},
		{"07", func(s *stage, r *recording) string { return s.post("/accept", r.body(), form) }},
		{"08", func(s *stage, r *recording) string { return s.post("/accept", r.body(), form) }},
		{"09", func(s *stage, _ *recording) string {
			return s.post("/accept", []byte(strings.Repeat("x", 102400)), form)
		}},
		{"11", func(s *stage, _ *recording) string { return s.curl("POST", "/accept", nil, "Content-Length: 0") }},
		{"12", func(s *stage, _ *recording) string { return s.curl("GET", "/accept", nil, many(90, "value %d")...) }},
		{"13", func(s *stage, _ *recording) string { return s.curl("GET", "/accept", nil, many(150, "v%d")...) }},
		{"14", func(s *stage, _ *recording) string { return s.curl("GET", "/headers1000", nil, many(150, "v%d")...) }},
		{"15", func(s *stage, _ *recording) string { return s.curl("GET", "/headers1", nil) }},
		{"19", func(s *stage, _ *recording) string { return s.post("/pass/p", []byte("orig"), form) }},
		{"20", func(s *stage, _ *recording) string { return s.curl("GET", "/noop", nil) }},
		{"21", func(s *stage, _ *recording) string { return s.curl("GET", "/exitnobody", nil) }},
		{"24", func(s *stage, _ *recording) string { return s.curl("GET", "/badmethod", nil) }},
		{"25", func(s *stage, _ *recording) string { return s.curl("GET", "/luaerror", nil) }},
		{"26", func(s *stage, _ *recording) string { return s.curl("GET", "/wrongphase", nil) }},
		{"27", func(s *stage, _ *recording) string { return s.curl("GET", "/sleep3", nil) }},
		{"41", func(s *stage, _ *recording) string { return s.curl("GET", "/up/x", nil) }},
		{"42", func(s *stage, _ *recording) string { return s.curl("GET", "/nosuch", nil) }},
		{"43", func(s *stage, _ *recording) string { return s.curl("GET", "/down", nil) }},
		{"44", func(s *stage, _ *recording) string { return s.curl("GET", "/term", nil) }},
	} {
		r := readRecording(t, c.number)
		t.Run(r.name, func(t *testing.T) {
			config := probeConfig("n1")
			if c.number >= "41" {
				config = globalConfig
			}
			s := newStage(t, config, Options{PluginTimeouts: pluginserver.Timeouts{Connect: time.Second, Send: time.Second, Read: 5 * time.Second}})
			s.check(r.reply, s.run(r, c.request(s, r)))
			s.sameCommands(r)
		})
	}
}

// body is the request's body, as Kong gave it to the plugin.
func (r *recording) body() []byte {
	for _, c := range r.commands {
		for _, call := range c.calls {
			if call.method == "kong.request.get_raw_body" {
				return []byte(text(call.answer))
			}
		}
	}
	return nil
}

// sameCommands compares which commands came; a recording that began with an
// instance has no start.
func (s *stage) sameCommands(r *recording) {
	s.t.Helper()
	var want []string
	for _, c := range r.commands {
		want = append(want, c.what())
	}
	told := s.peer.told()
	if want[0] != "start" {
		told = strings.TrimPrefix(told, "start ")
	}
	if told != strings.Join(want, " ") {
		s.t.Errorf("Kong's commands: %s; recorded: %s", told, strings.Join(want, " "))
	}
}
