package sinks

import (
	"errors"
	"fmt"
)

// maxTopicBytes is Kafka's own limit: a topic's name is part of a file's name.
const maxTopicBytes = 249

// isTopicText reports whether a broker takes every character of text in the
// name of a topic. It is what keeps "/", CR, LF and the rest out of topics that
// events name.
func isTopicText(text string) bool {
	for _, c := range []byte(text) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return text != ""
}

var errTopicText = errors.New("has a character that no topic's name may have; a-z, A-Z, 0-9, dot, underscore and hyphen are legal")

// checkTopicValue judges what an event brings for a place in a topic.
func checkTopicValue(value string) error {
	if !isTopicText(value) {
		return errTopicText
	}
	return nil
}

// checkTopic judges a topic as a whole.
func checkTopic(name string) error {
	switch {
	case name == "":
		return errors.New("is required")
	case name == ".", name == "..":
		return errors.New(`must not be "." or ".."`)
	case len(name) > maxTopicBytes:
		return fmt.Errorf("is longer than %d characters", maxTopicBytes)
	}
	return checkTopicValue(name)
}

// checkTopicTemplate judges what is known of a topic before there is an event.
func checkTopicTemplate(t template) error {
	if t.isConstant() {
		return checkTopic(t.source)
	}
	for _, p := range t.parts {
		if p.literal != "" && !isTopicText(p.literal) {
			return errTopicText
		}
	}
	return nil
}
