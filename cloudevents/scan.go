package cloudevents

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/kong/keg"
)

// A scan reads one JSON text (RFC 8259, and UTF-8 as it demands) in one pass,
// without building a tree. Values are slices of what is scanned.
type scan struct {
	jsontext.Decoder
	text   []byte
	buffer bytes.Buffer
}

var scans = sync.Pool{New: func() any { return new(scan) }}

func startScan(text []byte) *scan {
	s := scans.Get().(*scan)
	s.text, s.buffer = text, *bytes.NewBuffer(text)
	s.Reset(&s.buffer, jsontext.AllowDuplicateNames(true))
	return s
}

// finish gives the scan back; it must not be used again.
func (s *scan) finish() {
	s.text, s.buffer = nil, bytes.Buffer{}
	s.Reset(&s.buffer)
	scans.Put(s)
}

// members calls visit for every member of the object that comes next, with the
// unescaped name and the raw value.
func (s *scan) members(visit func(name, value []byte) error) error {
	if _, err := s.ReadToken(); err != nil {
		return broken(err, len(s.text))
	}
	for s.PeekKind() == '"' {
		quoted, err := s.ReadValue()
		if err != nil {
			return broken(err, len(s.text))
		}
		name := unquoteJSON(quoted)
		value, err := s.ReadValue()
		if err != nil {
			return broken(err, len(s.text))
		}
		if err := visit(name, value); err != nil {
			return err
		}
	}
	if _, err := s.ReadToken(); err != nil {
		return broken(err, len(s.text))
	}
	return nil
}

// end makes sure that nothing but white space follows.
func (s *scan) end() error {
	last := s.InputOffset()
	if _, err := s.ReadToken(); err == nil {
		return &keg.InvalidError{Problem: fmt.Sprintf("broken JSON at byte %d: something follows the first value", last)}
	} else if !errors.Is(err, io.EOF) {
		return broken(err, len(s.text))
	}
	return nil
}

// broken tells where JSON is not JSON.
func broken(err error, length int) error {
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return &keg.InvalidError{Problem: fmt.Sprintf("broken JSON at byte %d: %v", syntactic.ByteOffset, syntactic.Err)}
	}
	return &keg.InvalidError{Problem: fmt.Sprintf("broken JSON at byte %d: it ends too early", length)}
}

// unquoteJSON returns the text of a valid JSON string, without allocating where
// nothing in it is escaped.
func unquoteJSON(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	text, _ := jsontext.AppendUnquote(nil, quoted)
	return text
}

// tooDeep reports whether valid JSON nests deeper than max. Most has fewer
// brackets than that in all, and to count them is twenty times as fast.
func tooDeep(text []byte, max int) bool {
	if bytes.Count(text, []byte{'{'})+bytes.Count(text, []byte{'['}) <= max {
		return false
	}
	depth, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++ // only a string holds one, and never as its last byte
		case '"':
			inString = !inString
		case '{', '[':
			if !inString {
				if depth++; depth > max {
					return true
				}
			}
		case '}', ']':
			if !inString {
				depth--
			}
		}
	}
	return false
}

var errTooDeep = &keg.InvalidError{Problem: fmt.Sprintf("the data nests deeper than %d levels", maxDepth)}
