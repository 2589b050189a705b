package strict

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// parseJSON reads valid JSON into the same nodes that YAML makes, with places.
func parseJSON(text []byte) (*yaml.Node, error) {
	r := jsonReader{text: text, line: 1, decoder: json.NewDecoder(bytes.NewReader(text))}
	r.decoder.UseNumber()
	return r.value(1)
}

type jsonReader struct {
	text    []byte
	decoder *json.Decoder
	// offset is how far line and column have been counted.
	offset, line, column int
}

func (r *jsonReader) value(depth int) (*yaml.Node, error) {
	if depth > maxDepth {
		r.advance()
		return nil, &Error{Line: r.line, Column: r.column + 1, Problem: fmt.Sprintf("is nested deeper than %d levels", maxDepth)}
	}
	r.advance()
	n := &yaml.Node{Line: r.line, Column: r.column + 1}
	token, err := r.decoder.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		n.Kind, n.Tag = yaml.SequenceNode, seqTag
		if t == '{' {
			n.Kind, n.Tag = yaml.MappingNode, mapTag
		}
		return n, r.content(n, depth)
	case string:
		n.Tag, n.Value, n.Style = strTag, t, yaml.DoubleQuotedStyle
	case json.Number:
		n.Tag, n.Value = numTag, t.String()
	case bool:
		n.Tag, n.Value = boolTag, fmt.Sprint(t)
	case nil:
		n.Tag, n.Value = nullTag, "null"
	}
	n.Kind = yaml.ScalarNode
	return n, nil
}

func (r *jsonReader) content(n *yaml.Node, depth int) error {
	for r.decoder.More() {
		child, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		n.Content = append(n.Content, child)
	}
	_, err := r.decoder.Token()
	return err
}

// advance counts lines and columns up to the next token.
func (r *jsonReader) advance() {
	next := int(r.decoder.InputOffset())
	for next < len(r.text) && bytes.IndexByte([]byte(" \t\r\n,:"), r.text[next]) >= 0 {
		next++
	}
	for r.offset < next {
		c, size := utf8.DecodeRune(r.text[r.offset:next])
		r.offset += size
		if r.column++; c == '\n' {
			r.line, r.column = r.line+1, 0
		}
	}
}
