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

// hopsExtension is [keg.HopsHeader] as an extension in JSON.
const hopsExtension = "keghops"

// isOurs reports whether a header is one that KEGs write for each other, and
// that each wire spells its own way.
func isOurs(name string) bool { return name == keg.HopsHeader || strings.HasPrefix(name, storyPrefix) }

// takeHops moves the count of hops from where a JSON event has it to the
// headers, which are e's alone from then on.
func takeHops(e *keg.Event) {
	text, found := e.Extensions[hopsExtension]
	if !found {
		return
	}
	delete(e.Extensions, hopsExtension) // whatever it says: it is no attribute of the event
	if len(e.Extensions) == 0 {
		e.Extensions = nil
	}
	told := &keg.Event{Headers: keg.Headers{keg.HopsHeader: {text}}}
	if hops := max(keg.Hops(told), keg.Hops(e)); hops > 0 {
		keg.SetHops(e, hops)
	}
}

// appendStory writes the story, and the count of hops, as extensions of a JSON
// document.
func appendStory(dst []byte, e *keg.Event) []byte {
	if len(e.Headers) == 0 {
		return dst
	}
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		if isOurs(name) && len(e.Headers[name]) > 0 {
			dst = appendMember(dst, strings.ReplaceAll(name, "-", ""), oneLine(e.Headers[name][0]))
		}
	}
	return dst
}

// retold reports whether an extension of e has the name of a part of the story
// that e has now: it is of an earlier one, or somebody made it up.
func retold(e *keg.Event, extension string) bool {
	if len(e.Headers) == 0 || !strings.HasPrefix(extension, "kegdlq") && extension != hopsExtension {
		return false
	}
	for name, values := range e.Headers {
		if isOurs(name) && len(values) > 0 && strings.ReplaceAll(name, "-", "") == extension {
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
