package router

import (
	"errors"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"

	"github.com/kong/keg/router/strict"
)

// when is a condition in CEL. An error, or an answer that is no boolean, is no
// match; it is counted on the route.
type when struct {
	key           string
	wanted        string // the expression as written
	route         *Route
	program       cel.Program
	data, headers bool // what it looks at
}

// Bounds of an expression and of what an event can make it cost: at the limit
// an evaluation has taken some tens of milliseconds.
const (
	maxExpression = 4000    // code points
	maxCost       = 200_000 // see bySize
)

// environment is costly to make and needed only where a table has a `when`.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("type", cel.StringType),
		cel.Variable("source", cel.StringType),
		cel.Variable("id", cel.StringType),
		cel.Variable("subject", cel.StringType),
		cel.Variable("time", cel.TimestampType),
		cel.Variable("extensions", cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable("headers", cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable("data", cel.DynType),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ParserRecursionLimit(maxJSONDepth),
		cel.RegexProgramSizeLimit(maxRegexProgram),
	)
})

func (c *compiler) when(p *strict.Place, key string) clause {
	text, ok := c.Text(p)
	if !ok {
		return nil
	}
	if strings.TrimSpace(text.Value) == "" {
		c.Fail(p, "must not be empty")
		return nil
	}
	env, err := environment()
	if err != nil {
		c.Fail(p, "CEL cannot be had: %v", err)
		return nil
	}
	checked, issues := env.Compile(text.Value)
	if issues.Err() != nil {
		c.celProblems(p, text, issues)
		return nil
	}
	if out := checked.OutputType(); !out.IsExactType(cel.BoolType) && !out.IsExactType(cel.DynType) {
		c.Fail(p, "must be true or false for each event, and is of type %s", out)
		return nil
	}
	program, err := env.Program(checked, cel.CostLimit(maxCost), cel.CostTracking(bySize{}), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		problem := ""
		if !text.Foreign {
			problem = ": " + err.Error()
		}
		c.Fail(p, "is no expression that can be run%s", problem)
		return nil
	}
	w := &when{key: key, wanted: text.Written, route: c.current, program: program}
	for _, reference := range checked.NativeRep().ReferenceMap() {
		w.data = w.data || reference.Name == "data"
		w.headers = w.headers || reference.Name == "headers"
	}
	return w
}

func (c *compiler) celProblems(p *strict.Place, text strict.Text, issues *cel.Issues) {
	if text.Foreign {
		c.Fail(p, "is no valid CEL: what %s holds is not shown", text.Written)
		return
	}
	for _, e := range issues.Errors() {
		c.FailInside(p, e.Location.Line(), e.Location.Column(), "is no valid CEL: %s", e.Message)
	}
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

// variables shows a view to CEL.
type variables view

// Parent implements [cel.Activation].
func (v *variables) Parent() cel.Activation { return nil }

// ResolveName implements [cel.Activation]. An event without a time has no
// variable `time`, so that comparing it is an error rather than a lie.
func (v *variables) ResolveName(name string) (any, bool) {
	switch name {
	case "type":
		return v.event.Type, true
	case "source":
		return v.event.Source, true
	case "id":
		return v.event.ID, true
	case "subject":
		return v.event.Subject, true
	case "time":
		return v.event.Time, !v.event.Time.IsZero()
	case "extensions":
		return v.event.Extensions, true
	case "headers":
		return (*view)(v).joinedHeaders(), true
	case "data":
		tree, _ := (*view)(v).json()
		return tree, true
	}
	return nil, false
}

// joinedHeaders gives each header its one value (RFC 9110, section 5.2).
func (v *view) joinedHeaders() map[string]string {
	if v.headers == nil {
		v.headers = make(map[string]string, len(v.event.Headers))
		for name, lines := range v.event.Headers {
			v.headers[name] = strings.Join(lines, ", ")
		}
	}
	return v.headers
}
