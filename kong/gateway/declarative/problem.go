package declarative

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Kong's error codes, of those that can happen here.
const (
	codeSchema      = 2
	codePrimaryKey  = 3
	codeForeignKey  = 4
	codeUnique      = 5
	codeNotFound    = 6
	codeOffset      = 7
	codeSize        = 9
	codeHandle      = 10
	codeOptions     = 11
	codeUnsupported = 12
	codeUnresolved  = 13
	codeDeclarative = 14
)

// Error is a configuration or an entity that Kong would refuse, in the shape of
// the answers of its Admin API. Fields mirrors what was written: records by key,
// lists with nothing (null) where an item is good, and a text at each leaf.
type Error struct {
	Name    string         `json:"name"`
	Code    int            `json:"code"`
	Fields  map[string]any `json:"fields,omitempty"`
	Options map[string]any `json:"options,omitempty"` // of a request's, in place of Fields
	Message string         `json:"message"`
}

func (e *Error) Error() string { return e.Message }

// Status is the HTTP status that Kong answers it with.
func (e *Error) Status() int {
	switch e.Code {
	case codeNotFound:
		return http.StatusNotFound
	case codeUnsupported:
		return http.StatusMethodNotAllowed
	case codeUnique:
		return http.StatusConflict
	default:
		return http.StatusBadRequest
	}
}

// Body is the error as the Admin API answers it.
func (e *Error) Body() []byte {
	body, err := json.Marshal(e)
	if err != nil { // texts and lists only
		panic(err)
	}
	return body
}

// Lines are the problems one by one, each with its path, for people:
// "services[1].routes[2].paths: expected an array". Lists count from 1, as
// Lua does.
func (e *Error) Lines() []string {
	var lines []string
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case string:
			lines = append(lines, path+": "+v)
		case []any:
			for i, item := range v {
				if item != nil {
					walk(path+"["+strconv.Itoa(i+1)+"]", item)
				}
			}
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				at := key
				if path != "" {
					at = path + "." + key
				}
				walk(at, v[key])
			}
		}
	}
	walk("", e.Fields)
	return lines
}

func declarativeError(fields map[string]any) *Error {
	return &Error{
		Name:    "invalid declarative configuration",
		Code:    codeDeclarative,
		Fields:  fields,
		Message: "declarative config is invalid: " + pretty(fields),
	}
}

// Unreadable is Kong's error for a configuration that fails as a whole.
func Unreadable(err error) *Error {
	return declarativeError(map[string]any{"error": "failed parsing declarative configuration: " + err.Error()})
}

// schemaViolation is Kong's error for one entity.
func schemaViolation(fields map[string]any) *Error {
	message := violations("schema violation", "schema violations", fields)
	return &Error{Name: "schema violation", Code: codeSchema, Fields: fields, Message: message}
}

// violations is the message of an error with fields: what it is, of one or of
// more, and each of them down to the second level.
func violations(one, more string, fields map[string]any) string {
	var texts []string
	if list, ok := fields["@entity"].([]any); ok {
		for _, text := range list {
			texts = append(texts, fmt.Sprint(text))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if key == "@entity" {
			continue
		}
		switch v := fields[key].(type) {
		case map[string]any:
			for _, sub := range slices.Sorted(maps.Keys(v)) {
				texts = append(texts, key+"."+sub+": "+prettyLines(v[sub]))
			}
		case []any:
			for i, item := range v {
				if item != nil {
					texts = append(texts, key+"."+strconv.Itoa(i+1)+": "+prettyLines(item))
				}
			}
		default:
			texts = append(texts, fmt.Sprintf("%s: %v", key, v))
		}
	}
	if len(texts) == 1 {
		return one + " (" + texts[0] + ")"
	}
	return fmt.Sprintf("%d %s (%s)", len(texts), more, strings.Join(texts, "; "))
}
