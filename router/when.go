package router

import (
	"errors"
	"fmt"

	"cel.dev/cel-go/cel"

	"github.com/kong/keg/router/strict"
)

// when is a condition in CEL. An error, or an answer that is no boolean, is no
// match; it is counted on the route.
type when struct {
	key     string
	wanted  string // the expression as written
	route   *Route
	program cel.Program
	uses    uses
}

func (c *compiler) when(p *strict.Place, key string) clause {
	text, ok := c.Text(p)
	if !ok {
		return nil
	}
	program, uses := c.program(p, text, func(out *cel.Type) string {
		if out.IsExactType(cel.BoolType) || out.IsExactType(cel.DynType) {
			return ""
		}
		return fmt.Sprintf("must be true or false for each event, and is of type %s", out)
	})
	if program == nil {
		return nil
	}
	return &when{key: key, wanted: text.Written, route: c.current, program: program, uses: uses}
}

func (w *when) cost() int { return costWhen }

func (w *when) holds(v *view) bool {
	yes, err := w.ask(v)
	if err != nil {
		w.route.whenErrors.Add(1)
	}
	return yes
}

var errNoBoolean = errors.New("it gave no boolean")

func (w *when) ask(v *view) (bool, error) {
	result, _, err := w.program.Eval((*variables)(v))
	if err != nil {
		return false, err
	}
	yes, ok := result.Value().(bool)
	if !ok {
		return false, errNoBoolean
	}
	return yes, nil
}
