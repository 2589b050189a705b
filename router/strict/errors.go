package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one thing wrong with a document. It never holds a value that came
// from the environment or from a file.
type Error struct {
	File string
	// Line and Column count from 1; both are 0 where the whole document is meant.
	Line, Column int
	// Path leads to the key at fault: "routes[2].match.event_type".
	Path    string
	Problem string
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	b.WriteString(": ")
	if e.Path != "" {
		b.WriteString(e.Path)
		b.WriteString(": ")
	}
	b.WriteString(e.Problem)
	return b.String()
}

// Errors is all that is wrong with a document, in the document's order, one
// line each when printed.
type Errors []*Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, problem := range e {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find each [Error].
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, problem := range e {
		all[i] = problem
	}
	return all
}

// maxErrors bounds what one document can make KEG print.
const maxErrors = 100

// tidy sorts by place, drops what was said twice (a default is read once for
// each destination that inherits it), and cuts what nobody would read.
func (e Errors) tidy() Errors {
	e = slices.Clone(e)
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	seen := make(map[Error]bool, len(e))
	e = slices.DeleteFunc(e, func(problem *Error) bool {
		twice := seen[*problem]
		seen[*problem] = true
		return twice
	})
	if len(e) > maxErrors {
		rest := len(e) - maxErrors
		e = append(e[:maxErrors:maxErrors], &Error{File: e[0].File, Problem: fmt.Sprintf("and %d more", rest)})
	}
	return e
}
