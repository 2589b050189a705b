package router

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"github.com/kong/keg"
)

// view is one event as a table looks at it: what was parsed once stays for all
// routes, and what is only scratch is used again.
type view struct {
	event *keg.Event

	parsed, isJSON bool
	data           any
	headers        map[string]string // for CEL

	one   [1]value
	many  []value
	lists [][]candidate
}

var views = sync.Pool{New: func() any { return new(view) }}

func viewOf(e *keg.Event) *view {
	v := views.Get().(*view)
	v.event = e
	return v
}

// release forgets the event, so that the pool keeps none of it alive.
func (v *view) release() {
	const keep = 256 // values; an array of a million is not kept
	many := v.many
	clear(many)
	if cap(many) > keep {
		many = nil
	}
	clear(v.lists)
	*v = view{many: many[:0], lists: v.lists[:0]}
	views.Put(v)
}

// maxJSONDepth bounds the recursion that a stranger's data can cause.
const maxJSONDepth = 64

// json returns the event's data as a tree, its numbers as they are written.
// Data that is none by its content type, is broken or too deep is not there.
func (v *view) json() (any, bool) {
	if !v.parsed {
		v.parsed = true
		if len(v.event.Data) > 0 && v.event.JSONData() {
			v.data, v.isJSON = parseJSON(v.event.Data)
		}
	}
	return v.data, v.isJSON
}

func parseJSON(text []byte) (any, bool) {
	if jsonDepth(text) > maxJSONDepth {
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree any
	if decoder.Decode(&tree) != nil {
		return nil, false
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	return tree, true
}

// jsonDepth is how deep arrays and objects nest, if the text is JSON.
func jsonDepth(text []byte) int {
	depth, deepest := 0, 0
	inString := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			depth++
			deepest = max(deepest, depth)
		case c == ']' || c == '}':
			depth--
		}
	}
	return deepest
}
