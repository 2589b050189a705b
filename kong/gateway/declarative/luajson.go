package declarative

import (
	"maps"
	"slices"
)

// Array is a list that Kong has marked as one, so that it stays a list when it is
// empty.
type Array []any

// AppendJSON writes a value as Lua's cjson does: numbers with 14 digits, so
// that 1e15 comes out as 1e+15; and an empty list as {}, because a Lua table
// does not know which of the two it is. Text that is not UTF-8 goes out as it
// is. Keys are sorted, where Lua has no order.
func AppendJSON(dst []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		if v {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case float64:
		return append(dst, number(v)...)
	case int:
		return append(dst, number(float64(v))...)
	case int64:
		return append(dst, number(float64(v))...)
	case string:
		return appendString(dst, v)
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = s
		}
		return AppendJSON(dst, list)
	case Array:
		if len(v) == 0 {
			return append(dst, "[]"...)
		}
		return AppendJSON(dst, []any(v))
	case []any:
		if len(v) == 0 {
			return append(dst, "{}"...)
		}
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendJSON(dst, item)
		}
		return append(dst, ']')
	case map[string]any:
		dst = append(dst, '{')
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, key)
			dst = append(dst, ':')
			dst = AppendJSON(dst, v[key])
		}
		return append(dst, '}')
	default:
		panic("declarative: a value of a type that Lua does not have")
	}
}

const hexDigits = "0123456789abcdef"

func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c == '\b':
			dst = append(dst, '\\', 'b')
		case c == '\f':
			dst = append(dst, '\\', 'f')
		case c < 0x20 || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
