package strict

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// parseJSON reads JSON into the same nodes that YAML makes, with places. The
// text is valid: encoding/json has said so, and is asked again for whatever
// escapes a string has. Its own tokens are too slow for a large table.
func parseJSON(text []byte) (*yaml.Node, error) {
	r := jsonReader{text: text, line: 1}
	return r.value(1)
}

type jsonReader struct {
	text []byte
	at   int
	line int
	// column, in characters, of counted.
	column, counted int
}

// place counts the characters since it was last asked: a large table is often
// one line.
func (r *jsonReader) place() (line, column int) {
	r.column += utf8.RuneCount(r.text[r.counted:r.at])
	r.counted = r.at
	return r.line, r.column + 1
}

// skip goes on to the next token: white space and separators carry nothing
// that valid JSON does not say otherwise.
func (r *jsonReader) skip() {
	for ; r.at < len(r.text); r.at++ {
		switch r.text[r.at] {
		case '\n':
			r.line, r.column, r.counted = r.line+1, 0, r.at+1
		case ' ', '\t', '\r', ',', ':':
		default:
			return
		}
	}
}

func (r *jsonReader) value(depth int) (*yaml.Node, error) {
	r.skip()
	n := &yaml.Node{Kind: yaml.ScalarNode}
	n.Line, n.Column = r.place()
	if depth > maxDepth {
		return nil, &Error{Line: n.Line, Column: n.Column, Problem: fmt.Sprintf("is nested deeper than %d levels", maxDepth)}
	}
	switch r.text[r.at] {
	case '{':
		n.Kind, n.Tag = yaml.MappingNode, mapTag
		return n, r.content(n, '}', depth)
	case '[':
		n.Kind, n.Tag = yaml.SequenceNode, seqTag
		return n, r.content(n, ']', depth)
	case '"':
		n.Tag, n.Style = strTag, yaml.DoubleQuotedStyle
		return n, r.quoted(n)
	}
	n.Value = r.word()
	switch n.Value {
	case "true", "false":
		n.Tag = boolTag
	case "null":
		n.Tag = nullTag
	default:
		n.Tag = numTag
	}
	return n, nil
}

func (r *jsonReader) content(n *yaml.Node, end byte, depth int) error {
	r.at++
	for r.skip(); r.text[r.at] != end; r.skip() {
		child, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		n.Content = append(n.Content, child)
	}
	r.at++
	return nil
}

func (r *jsonReader) quoted(n *yaml.Node) error {
	begin, escapes := r.at, false
	for r.at++; r.text[r.at] != '"'; r.at++ {
		if r.text[r.at] == '\\' {
			escapes = true
			r.at++
		}
	}
	r.at++
	if !escapes {
		n.Value = string(r.text[begin+1 : r.at-1])
		return nil
	}
	return json.Unmarshal(r.text[begin:r.at], &n.Value)
}

func (r *jsonReader) word() string {
	begin := r.at
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ',', ']', '}', ' ', '\t', '\r', '\n':
			return string(r.text[begin:r.at])
		}
		r.at++
	}
	return string(r.text[begin:])
}
