package keg

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"unicode/utf8"
)

// Validate reports every rule of CloudEvents 1.0 (section 3) that the event
// breaks, joined, each an [*InvalidError] that names the attribute.
func (e *Event) Validate() error {
	var errs []error
	fail := func(attribute, problem string) {
		errs = append(errs, &InvalidError{Attribute: attribute, Problem: problem})
	}
	text := func(name, value string, required bool) {
		switch {
		case value == "" && required:
			fail(name, "is required and must not be empty")
		default:
			if problem := textProblem(value); problem != "" {
				fail(name, problem)
			}
		}
	}
	text("id", e.ID, true)
	text("source", e.Source, true)
	text("type", e.Type, true)
	text("subject", e.Subject, false)
	text("datacontenttype", e.DataContentType, false)
	text("dataschema", e.DataSchema, false)
	if _, err := url.Parse(e.Source); err != nil {
		fail("source", "is no URI reference: "+parseProblem(err))
	}
	if e.DataSchema != "" {
		if u, err := url.Parse(e.DataSchema); err != nil {
			fail("dataschema", "is no URI: "+parseProblem(err))
		} else if !u.IsAbs() {
			fail("dataschema", "must be an absolute URI")
		}
	}
	if y := e.Time.Year(); !e.Time.IsZero() && (y < 0 || y > 9999) {
		fail("time", "has a year that RFC 3339 cannot write")
	}
	for _, name := range slices.Sorted(maps.Keys(e.Extensions)) {
		if problem := extensionNameProblem(name); problem != "" {
			fail(name, problem)
		}
		text(name, e.Extensions[name], false)
	}
	return errors.Join(errs...)
}

// maxExtensionName bounds what a stranger can make KEG carry as a name;
// CloudEvents advises 20 and forbids nothing.
const maxExtensionName = 64

func extensionNameProblem(name string) string {
	switch name {
	case "":
		return "is no name of an extension: it is empty"
	case "id", "source", "type", "subject", "time", "specversion", "datacontenttype", "dataschema", "data", "data_base64":
		return "is the name of a context attribute, not of an extension"
	}
	if len(name) > maxExtensionName {
		return fmt.Sprintf("is longer than %d characters", maxExtensionName)
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return "is no name of an extension: it may have only a-z and 0-9"
		}
	}
	return ""
}

// textProblem says why a value is no CloudEvents String (section 3.1, type
// system): control characters, surrogates and noncharacters are not allowed.
// It is what keeps CR, LF and NUL out of every header, topic and log line.
func textProblem(value string) string {
	for i, r := range value {
		switch {
		case r <= 0x1F, r >= 0x7F && r <= 0x9F:
			return fmt.Sprintf("has the control character %U at byte %d", r, i)
		case r == utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(value[i:]); size == 1 {
				return fmt.Sprintf("is not UTF-8 at byte %d", i)
			}
		case r >= 0xFDD0 && r <= 0xFDEF, r&0xFFFE == 0xFFFE:
			return fmt.Sprintf("has the noncharacter %U at byte %d", r, i)
		}
	}
	return ""
}

// parseProblem is url.Parse's reason without the text that a stranger sent.
func parseProblem(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err.Error()
	}
	return err.Error()
}
