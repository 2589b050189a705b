package router

import (
	"strings"
	"sync"

	"cel.dev/cel-go/cel"

	"github.com/kong/keg/router/strict"
)

// Bounds of an expression and of what an event can make it cost: at the limit
// an evaluation has taken some tens of milliseconds.
const (
	maxExpression = 4000    // code points
	maxCost       = 200_000 // see bySize
)

// variableNames are the variables of an expression.
var variableNames = []string{"type", "source", "id", "subject", "time", "extensions", "headers", "data"}

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

// uses are the parts of an event that an expression looks at.
type uses struct{ data, headers bool }

// program compiles an expression, or notes why it cannot. wrong says what is
// wrong with the type of its result, or "".
func (c *compiler) program(p *strict.Place, text strict.Text, wrong func(*cel.Type) string) (cel.Program, uses) {
	if strings.TrimSpace(text.Value) == "" {
		c.Fail(p, "must not be empty")
		return nil, uses{}
	}
	env, err := environment()
	if err != nil {
		c.Fail(p, "CEL cannot be had: %v", err)
		return nil, uses{}
	}
	checked, issues := env.Compile(text.Value)
	if issues.Err() != nil {
		c.celProblems(p, text, issues)
		return nil, uses{}
	}
	if problem := wrong(checked.OutputType()); problem != "" {
		c.Fail(p, "%s", problem)
		return nil, uses{}
	}
	program, err := env.Program(checked, cel.CostLimit(maxCost), cel.CostTracking(bySize{}), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		problem := ""
		if !text.Foreign {
			problem = ": " + err.Error()
		}
		c.Fail(p, "is no expression that can be run%s", problem)
		return nil, uses{}
	}
	var u uses
	for _, reference := range checked.NativeRep().ReferenceMap() {
		u.data = u.data || reference.Name == "data"
		u.headers = u.headers || reference.Name == "headers"
	}
	return program, u
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
