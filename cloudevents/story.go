package cloudevents

import (
	"maps"
	"slices"
	"strings"

	"github.com/kong/keg"
)

// storyPrefix begins the names of the headers that tell a dead letter's story.
// Each wire spells them its own way: Keg-Dlq-Reason in HTTP, keg_dlq_reason in
// Kafka, kegdlqreason as an extension in JSON.
const storyPrefix = "keg-dlq-"

// appendStory writes the story as extensions of a JSON document.
func appendStory(dst []byte, e *keg.Event) []byte {
	if len(e.Headers) == 0 {
		return dst
	}
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		if strings.HasPrefix(name, storyPrefix) && len(e.Headers[name]) > 0 {
			dst = appendMember(dst, strings.ReplaceAll(name, "-", ""), oneLine(e.Headers[name][0]))
		}
	}
	return dst
}

// retold reports whether an extension of e has the name of a part of the story
// that e has now: it is of an earlier one, or somebody made it up.
func retold(e *keg.Event, extension string) bool {
	if len(e.Headers) == 0 || !strings.HasPrefix(extension, "kegdlq") {
		return false
	}
	for name, values := range e.Headers {
		if strings.HasPrefix(name, storyPrefix) && len(values) > 0 && strings.ReplaceAll(name, "-", "") == extension {
			return true
		}
	}
	return false
}

// isAttributeText reports whether s may be the value of an attribute.
func isAttributeText(s string) bool { return oneLine(s) == s }

// oneLine makes text fit for a CloudEvents String and for any header: whatever
// controls a terminal or ends a line becomes a space.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r <= 0x1F, r >= 0x7F && r <= 0x9F, r >= 0xFDD0 && r <= 0xFDEF, r&0xFFFE == 0xFFFE:
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
}
