package strict

import (
	"errors"
	"strings"

	"github.com/kong/keg"
)

// validated gives the problems of a Validate method their places. What the
// document's shape was already blamed for is not said again.
func (d *Decoder) validated(err error, layers []*Place, before int) {
	for _, err := range keg.Problems(err) {
		problem, path := err.Error(), ""
		if f := fieldProblem(err); f != nil {
			problem, path = f.Problem, f.Path
		}
		at := layers[len(layers)-1]
		for i := len(layers) - 1; i >= 0 && path != ""; i-- {
			if found, whole := layers[i].lookup(path); whole {
				at = found
				break
			}
		}
		full := at.Path()
		if at == layers[len(layers)-1] {
			full = strings.TrimPrefix(full+"."+path, ".")
			full = strings.TrimSuffix(full, ".")
		}
		if d.blamed(full, before) {
			continue
		}
		d.errs = append(d.errs, &Error{File: d.file, Line: at.at.Line, Column: at.at.Column, Path: clean(full), Problem: clean(d.masked(problem))})
	}
}

func (d *Decoder) blamed(path string, before int) bool {
	for _, e := range d.errs[before:] {
		if e.Path == path {
			return true
		}
	}
	return false
}

func fieldProblem(err error) *keg.FieldError {
	var f *keg.FieldError
	if errors.As(err, &f) {
		return f
	}
	return nil
}
