package strict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// The bounds of a document. A table of ten thousand routes has about 3 MB and
// 300,000 values.
const (
	maxBytes = 8 << 20
	maxNodes = 2 << 20 // values after aliases are followed
	maxDepth = 64
)

const (
	nullTag = "!!null"
	boolTag = "!!bool"
	strTag  = "!!str"
	intTag  = "!!int"
	numTag  = "!!float"
	timeTag = "!!timestamp"
	mapTag  = "!!map"
	seqTag  = "!!seq"
)

// Read parses one document of YAML or JSON. What it returns is safe to walk:
// bounded in size and depth also where aliases repeat a part, free of cycles,
// of unknown tags and of merge keys. The error is an [Errors].
func Read(file string, text []byte) (*Place, error) {
	fail := func(line, column int, format string, args ...any) (*Place, error) {
		return nil, Errors{{File: file, Line: line, Column: column, Problem: fmt.Sprintf(format, args...)}}
	}
	if len(text) > maxBytes {
		return fail(0, 0, "is larger than %d MiB", maxBytes>>20)
	}
	text = bytes.TrimPrefix(text, []byte("\xEF\xBB\xBF"))
	if i := invalidUTF8(text); i >= 0 {
		at := position(text, i)
		return fail(at.Line, at.Column, "is not UTF-8")
	}
	node, err := parse(text)
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			return fail(e.Line, e.Column, "%s", e.Problem)
		}
		return fail(0, 0, "%v", err)
	}
	if node == nil {
		return fail(0, 0, "is empty")
	}
	c := census{known: map[*yaml.Node]extent{}}
	c.count(node, 1)
	if len(c.errs) > 0 {
		for _, e := range c.errs {
			e.File = file
		}
		return nil, c.errs.tidy()
	}
	return root(followed(node)), nil
}

// parse returns nil for a document without content.
func parse(text []byte) (node *yaml.Node, err error) {
	defer func() {
		// The parser has panicked on junk before; a document is no reason to end.
		if p := recover(); p != nil {
			node, err = nil, &Error{Problem: "is no YAML that can be read"}
		}
	}()
	trimmed := bytes.TrimSpace(text)
	if len(trimmed) == 0 {
		return nil, nil
	}
	if trimmed[0] == '{' || trimmed[0] == '[' {
		// YAML's flow style begins alike, and reads JSON but for its rarer
		// escapes; so what is JSON is read as JSON.
		if json.Valid(trimmed) {
			return parseJSON(text)
		}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, second yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, yamlProblem(err)
	}
	if err := decoder.Decode(&second); err == nil {
		return nil, &Error{Line: second.Line, Column: max(second.Column, 1), Problem: "a second document begins here: one file holds one document"}
	} else if !errors.Is(err, io.EOF) {
		return nil, yamlProblem(err)
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) == 0 {
		return nil, nil
	}
	top := document.Content[0]
	if top.Kind == yaml.ScalarNode && top.Tag == nullTag {
		return nil, nil
	}
	return top, nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// yamlProblem takes the line out of the parser's message, which is the only
// place where the library gives it. It has no column.
func yamlProblem(err error) error {
	text := err.Error()
	found := yamlLine.FindStringSubmatch(text)
	if found == nil {
		return &Error{Problem: "is no YAML: " + text}
	}
	line, _ := strconv.Atoi(found[1])
	column := 0
	if line > 0 {
		column = 1
	}
	return &Error{Line: line, Column: column, Problem: "is no YAML: " + strings.TrimPrefix(text, found[0])}
}

func invalidUTF8(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

func position(text []byte, offset int) Error {
	before := text[:offset]
	line := bytes.Count(before, []byte("\n"))
	return Error{Line: line + 1, Column: utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1}
}
