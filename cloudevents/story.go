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

// appendStory writes the story as extensions of a JSON document; an extension
// of the event that has the name already stays.
func appendStory(dst []byte, e *keg.Event) []byte {
	if len(e.Headers) == 0 {
		return dst
	}
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		if !strings.HasPrefix(name, storyPrefix) || len(e.Headers[name]) == 0 {
			continue
		}
		extension := strings.ReplaceAll(name, "-", "")
		if _, ok := e.Extensions[extension]; !ok {
			dst = appendMember(dst, extension, oneLine(e.Headers[name][0]))
		}
	}
	return dst
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
