package router

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/types/known/structpb"
)

// jsonWriter writes what CEL gave as JSON: times as RFC 3339, bytes as base64,
// numbers that CEL has not touched as they came, members sorted. It stops at its limit.
type jsonWriter struct {
	text  []byte
	limit int // bytes
}

// value appends a value that stands at a depth, from 1. It returns why that
// cannot be, or "".
func (w *jsonWriter) value(v any, depth int) (problem string) {
	if depth > maxJSONDepth {
		return fmt.Sprintf("gave a value that is nested deeper than %d levels", maxJSONDepth)
	}
	switch v := v.(type) {
	case nil, structpb.NullValue:
		w.text = append(w.text, "null"...)
	case string:
		return w.string(v)
	case json.Number:
		w.text = append(w.text, v...)
	case bool:
		w.text = strconv.AppendBool(w.text, v)
	case int64:
		w.text = strconv.AppendInt(w.text, v, 10)
	case uint64:
		w.text = strconv.AppendUint(w.text, v, 10)
	case float64:
		text, ok := numberText(v)
		if !ok {
			return "gave a number that JSON cannot write"
		}
		w.text = append(w.text, text...)
	case []byte:
		return w.string(base64.StdEncoding.EncodeToString(v))
	case time.Time:
		return w.string(canonical(v.UTC()))
	case *types.Type:
		return "gave a type, which is no value of JSON"
	case ref.Val:
		return w.wrapped(v, depth)
	case []any:
		return writeList(w, v, depth)
	case []ref.Val:
		return writeList(w, v, depth)
	case map[string]any:
		return writeObject(w, v, depth)
	case map[string]string:
		return writeObject(w, v, depth)
	case map[ref.Val]ref.Val:
		named := make(map[string]ref.Val, len(v))
		for key, item := range v {
			name, ok := canonicalText(key)
			if _, twice := named[name]; !ok || twice {
				return "gave an object with two members of one name"
			}
			named[name] = item
		}
		return writeObject(w, named, depth)
	default:
		return "gave a value that JSON cannot write"
	}
	return w.overflow()
}

func (w *jsonWriter) wrapped(v ref.Val, depth int) string {
	inner := v.Value()
	switch inner.(type) {
	case time.Duration, ref.Val:
		return "gave a value of type " + v.Type().TypeName() + ", which JSON cannot write"
	}
	if _, isType := v.(*types.Type); isType {
		return "gave a type, which is no value of JSON"
	}
	return w.value(inner, depth)
}

func (w *jsonWriter) string(text string) string {
	if len(w.text)+len(text) > w.limit {
		return w.tooLarge()
	}
	var err error
	if w.text, err = jsontext.AppendQuote(w.text, text); err != nil {
		return "gave text that is not UTF-8"
	}
	return w.overflow()
}

func (w *jsonWriter) overflow() string {
	if len(w.text) > w.limit {
		return w.tooLarge()
	}
	return ""
}

func (w *jsonWriter) tooLarge() string { return fmt.Sprintf("gave more than %d bytes", w.limit) }

func writeList[T any](w *jsonWriter, items []T, depth int) string {
	w.text = append(w.text, '[')
	for i, item := range items {
		if i > 0 {
			w.text = append(w.text, ',')
		}
		if problem := w.value(item, depth+1); problem != "" {
			return problem
		}
	}
	w.text = append(w.text, ']')
	return w.overflow()
}

func writeObject[T any](w *jsonWriter, members map[string]T, depth int) string {
	w.text = append(w.text, '{')
	for i, name := range slices.Sorted(maps.Keys(members)) {
		if i > 0 {
			w.text = append(w.text, ',')
		}
		if problem := w.string(name); problem != "" {
			return problem
		}
		w.text = append(w.text, ':')
		if problem := w.value(members[name], depth+1); problem != "" {
			return problem
		}
	}
	w.text = append(w.text, '}')
	return w.overflow()
}

// canonicalText is a value as CloudEvents writes it in an attribute (section
// 3.1, type system), where it is one that can be.
func canonicalText(v ref.Val) (string, bool) {
	switch v := v.(type) {
	case types.String:
		return string(v), true
	case types.Bool:
		return strconv.FormatBool(bool(v)), true
	case types.Int:
		return strconv.FormatInt(int64(v), 10), true
	case types.Uint:
		return strconv.FormatUint(uint64(v), 10), true
	case types.Double:
		return numberText(float64(v))
	case types.Bytes:
		return base64.StdEncoding.EncodeToString(v), true
	case types.Timestamp:
		return canonical(v.UTC()), true
	}
	return "", false
}

// numberText is a number as JSON writes it.
func numberText(n float64) (string, bool) {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return "", false
	}
	text, err := json.Marshal(n)
	return string(text), err == nil
}
