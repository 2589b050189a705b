package declarative

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/google/uuid"
)

// constraint returns the first rule of the field that a value of the right type
// breaks, in Kong's words and Kong's order, or "".
func (f *Field) constraint(value any) string {
	switch {
	case f.Eq.isNot(value):
		return "value must be " + text(f.Eq.value)
	case f.Ne.is(value):
		return "value must not be " + text(value)
	case f.NotOneOf != nil && slices.Contains(f.NotOneOf, value):
		return "must not be one of: " + list(f.NotOneOf)
	case f.OneOf != nil && !slices.Contains(f.OneOf, value):
		return "expected one of: " + list(f.OneOf)
	}
	switch v := value.(type) {
	case float64:
		switch {
		case f.Gt != nil && v <= *f.Gt:
			return "value must be greater than " + number(*f.Gt)
		case f.Timestamp && v <= 0:
			return "expected a valid timestamp"
		case f.Between != nil && (v < f.Between[0] || v > f.Between[1]):
			return fmt.Sprintf("value should be between %.0f and %.0f", f.Between[0], f.Between[1])
		}
	case string:
		return f.stringConstraint(v)
	case []any:
		if problem := f.length(len(v), 0); problem != "" {
			return problem
		}
		if f.Contains != nil && !slices.Contains(v, f.Contains) {
			return "expected to contain: " + text(f.Contains)
		}
	case map[string]any:
		return f.length(len(v), 0)
	}
	return ""
}

func (f *Field) stringConstraint(v string) string {
	if f.UUID && (len(v) != 36 || uuid.Validate(v) != nil) {
		return "expected a valid UUID"
	}
	if f.IsRegex {
		if _, err := regexp.Compile(v); err != nil {
			return "not a valid regex: " + v
		}
	}
	// Strings may not be empty unless their schema says so.
	if problem := f.length(len(v), 1); problem != "" {
		return problem
	}
	if !strings.HasPrefix(v, f.StartsWith) {
		return "should start with: " + f.StartsWith
	}
	if f.NotMatch != "" && matches(f.NotMatch, v) || f.Match != "" && !matches(f.Match, v) {
		return "invalid value: " + v
	}
	for _, p := range f.MatchNone {
		if matches(p.Pattern, v) {
			return p.Err
		}
	}
	for _, p := range f.MatchAll {
		if !matches(p.Pattern, v) {
			return p.Err
		}
	}
	if f.MatchAny != nil && !slices.ContainsFunc(f.MatchAny.Patterns, func(p string) bool { return matches(p, v) }) {
		return f.MatchAny.Err
	}
	if f.custom != nil {
		return f.custom(v)
	}
	return ""
}

// length checks a length; least is what holds where the schema names no minimum.
func (f *Field) length(n, least int) string {
	if f.LenMin != nil {
		least = *f.LenMin
	}
	switch {
	case f.LenEq != nil && n != *f.LenEq:
		return fmt.Sprintf("length must be %d", *f.LenEq)
	case n < least:
		return fmt.Sprintf("length must be at least %d", least)
	case f.LenMax != nil && n > *f.LenMax:
		return fmt.Sprintf("length must be at most %d", *f.LenMax)
	}
	return ""
}

func matches(pattern, v string) bool {
	re, err := luaPattern(pattern)
	return err == nil && re.MatchString(v)
}

func list(values []any) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = text(v)
	}
	return strings.Join(texts, ", ")
}

// text is Lua's tostring, without control characters.
func text(value any) string {
	switch v := value.(type) {
	case float64:
		return number(v)
	case string:
		return strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, v)
	default:
		return fmt.Sprint(v)
	}
}
