package sources

import (
	"strings"

	"github.com/kong/keg/clients"
)

// filterProblem says why text is no topic filter (MQTT 3.1.1, section 4.7), or "".
func filterProblem(text string) string {
	if text == "" {
		return "is empty"
	}
	if problem := clients.MQTTTextProblem(text); problem != "" {
		return problem
	}
	if strings.HasPrefix(text, "$share/") {
		return "must not begin with $share: the group goes into group"
	}
	levels := strings.Split(text, "/")
	for i, level := range levels {
		switch {
		case level == "#" && i < len(levels)-1:
			return "has # before its end"
		case level != "#" && strings.Contains(level, "#"), level != "+" && strings.Contains(level, "+"):
			return "has + or # beside other characters of a level"
		}
	}
	return ""
}

// filtersMeet reports whether a topic can match the filter, where the topic's
// own levels may be open: "+" for one that may be anything, "#" for any number
// of them at the end.
func filtersMeet(filter, topic string) bool {
	a, b := strings.Split(filter, "/"), strings.Split(topic, "/")
	if strings.HasPrefix(topic, "$") != strings.HasPrefix(filter, "$") {
		return false // wildcards do not match the broker's own topics (section 4.7.2)
	}
	for i := 0; ; i++ {
		switch {
		case i < len(a) && a[i] == "#", i < len(b) && b[i] == "#": // "a/#" matches "a", too
			return true
		case i == len(a) || i == len(b):
			return i == len(a) && i == len(b)
		case a[i] != b[i] && a[i] != "+" && !levelsMeet(b[i], a[i]):
			return false
		}
	}
}

// levelsMeet reports whether a level whose places are "+" can be the text.
func levelsMeet(open, text string) bool { return globMeets(open, text, "+") }

// globMeets reports whether text fits a pattern in which anything runs over any
// characters.
func globMeets(pattern, text, anything string) bool {
	parts := strings.Split(pattern, anything)
	if len(parts) == 1 {
		return pattern == text
	}
	rest, found := strings.CutPrefix(text, parts[0])
	if !found {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(rest, part)
		if at < 0 {
			return false
		}
		rest = rest[at+len(part):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}
