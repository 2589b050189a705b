package router

import (
	"cmp"
	"fmt"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/kong/keg"
)

// Transform makes another event of one, as `transform` of a route or a
// destination says:
//
//	data:    a CEL expression, whose result becomes the data. Bytes are taken
//	         as they are; every other result, text too, is written as JSON, and
//	         the datacontenttype becomes application/json where it was none of
//	         JSON's. Members of objects come out sorted; numbers of a part that is
//	         passed on whole stay as they came, others are CEL's int and double.
//	set:     attributes. A value is text as it stands, or {cel: expression};
//	         a result that is a number, a boolean, a time or bytes is written
//	         as CloudEvents writes it, and null takes the attribute away.
//	remove:  attributes that are taken away.
//	headers: headers that travel on with the event, given as those of set are.
//	         They replace headers of the same name.
//
// Expressions see the event that came, none sees what another makes, and what
// they may cost is bounded as a `when` is. `headers` are those that are left of
// the request's after the entry has taken away all that it does not forward.
//
// A Transform is a function of the event alone, and safe for concurrent use.
type Transform struct {
	route   string
	place   string    // "routes[2].transform"
	data    *computed // nil: as it came
	set     []assignment
	remove  []string
	headers []assignment
}

// assignment gives an attribute or a header, its name in lower case, a value.
type assignment struct {
	name string
	*computed
}

func (a assignment) varies() bool { return a.program != nil }

// computed is a value that stands in the table, or an expression for one.
type computed struct {
	path    string      // where below the transform: "set.subject"
	source  string      // the text, or the expression
	program cel.Program // nil: text
	uses    uses
	foreign bool // some of source came from a variable or a file
}

// Bounds of what a transform makes.
const (
	// An event grows to no more than this or twice its own size, in bytes of data.
	maxTransformed = 1 << 20
	maxSetValue    = 64 << 10 // bytes of one attribute or header
	maxAssigned    = 100      // attributes or headers of one transform
)

// TransformError: a transform cannot be applied to an event, and never will
// be. It comes wrapped by [keg.Permanent].
type TransformError struct {
	// Route is the route's name; "" for a destination of `unmatched`.
	Route string
	// Place leads to what failed: "routes[2].transform.set.subject".
	Place   string
	Problem string
}

func (e *TransformError) Error() string { return e.Place + ": " + e.Problem }

func (t *Transform) fail(path, format string, args ...any) error {
	return keg.Permanent(&TransformError{t.route, t.place + "." + path, fmt.Sprintf(format, args...)})
}

// Apply implements [keg.Transformer]. Its errors are of type [*TransformError].
func (t *Transform) Apply(e *keg.Event) (*keg.Event, error) {
	v := viewOf(e)
	defer v.release()
	made := e.Clone()
	for _, name := range t.remove {
		setAttribute(made, name, "")
	}
	for _, a := range t.set {
		if err := t.assign(made, a, v); err != nil {
			return nil, err
		}
	}
	if t.data != nil {
		if err := t.makeData(made, v); err != nil {
			return nil, err
		}
	}
	for _, h := range t.headers {
		if err := t.addHeader(made, h, v); err != nil {
			return nil, err
		}
	}
	if slices.ContainsFunc(t.set, assignment.varies) { // text was judged with the table
		for _, err := range keg.Problems(made.Validate()) {
			return nil, t.invalid(err)
		}
	}
	return made, nil
}

// result evaluates an expression.
func (t *Transform) result(c *computed, v *view) (ref.Val, error) {
	result, _, err := c.program.Eval((*variables)(v))
	switch {
	case err != nil && c.foreign:
		return nil, t.fail(c.path, "the expression failed; why is not shown, because some of it came from a variable or a file")
	case err != nil:
		return nil, t.fail(c.path, "%s", cut(err.Error()))
	}
	return result, nil
}

// text is a value as text; ok is false where it is null.
func (t *Transform) text(c *computed, v *view) (text string, ok bool, err error) {
	if c.program == nil {
		return c.source, true, nil
	}
	result, err := t.result(c, v)
	if err != nil {
		return "", false, err
	}
	if result == types.NullValue {
		return "", false, nil
	}
	text, ok = canonicalText(result)
	switch {
	case !ok:
		return "", false, t.fail(c.path, "gave a value of type %s, which is no text", result.Type().TypeName())
	case len(text) > maxSetValue:
		return "", false, t.fail(c.path, "gave text of more than %d bytes", maxSetValue)
	}
	return text, true, nil
}

func (t *Transform) makeData(made *keg.Event, v *view) error {
	result, err := t.result(t.data, v)
	if err != nil {
		return err
	}
	limit := max(maxTransformed, 2*len(v.event.Data))
	if b, ok := result.(types.Bytes); ok {
		if len(b) > limit {
			return t.fail(t.data.path, "gave more than %d bytes", limit)
		}
		made.Data = slices.Clone([]byte(b))
		return nil
	}
	w := jsonWriter{limit: limit}
	if problem := w.value(result, 1); problem != "" {
		return t.fail(t.data.path, "%s", problem)
	}
	made.Data = w.text
	if !made.JSONData() && !t.gives("datacontenttype") {
		made.DataContentType = "application/json"
	}
	return nil
}

// gives reports whether the transform sets an attribute.
func (t *Transform) gives(attribute string) bool {
	return slices.ContainsFunc(t.set, func(a assignment) bool { return a.name == attribute })
}

// inOrder is a route's transform and then a destination's own; nil of none.
func inOrder(first *Transform, second keg.Transformer) keg.Transformer {
	switch own, _ := second.(*Transform); {
	case first == nil:
		return second
	case own == nil:
		return first
	default:
		return &chain{first, own}
	}
}

// ownTransform is what a destination does beside its route's transform, or nil.
func ownTransform(d *keg.Destination, route *Transform) *Transform {
	switch t := d.Transform.(type) {
	case *chain:
		return t.second
	case *Transform:
		if t != route {
			return t
		}
	}
	return nil
}

// chain is a route's transform and then a destination's.
type chain struct{ first, second *Transform }

func (c *chain) Apply(e *keg.Event) (*keg.Event, error) {
	e, err := c.first.Apply(e)
	if err != nil {
		return nil, err
	}
	return c.second.Apply(e)
}

// alike tells whether two destinations' own transforms do the same.
func alike(a, b keg.Transformer) bool {
	x, _ := a.(*Transform)
	y, _ := b.(*Transform)
	if x == nil || y == nil {
		return x == y
	}
	equal := func(a, b *computed) bool {
		return a == b || a != nil && b != nil && a.source == b.source && (a.program == nil) == (b.program == nil)
	}
	assigned := func(a, b assignment) bool { return a.name == b.name && equal(a.computed, b.computed) }
	return equal(x.data, y.data) && slices.Equal(x.remove, y.remove) &&
		slices.EqualFunc(x.set, y.set, assigned) && slices.EqualFunc(x.headers, y.headers, assigned)
}

func byName(a, b assignment) int { return cmp.Compare(a.name, b.name) }
