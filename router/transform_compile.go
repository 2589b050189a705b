package router

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"golang.org/x/net/http/httpguts"

	"github.com/kong/keg"
	"github.com/kong/keg/router/strict"
)

// transformKeys are the keys of a transform.
type transformKeys struct {
	Data    strict.Raw `keg:"data" doc:"A CEL expression whose result becomes the data." ref:"expression"`
	Set     strict.Raw `keg:"set" doc:"Attributes that are set." ref:"set"`
	Remove  strict.Raw `keg:"remove" doc:"Attributes that are taken away." ref:"remove"`
	Headers strict.Raw `keg:"headers" doc:"Headers that travel on with the event." ref:"set_headers"`
}

// transform compiles a transform; it returns nil where it has noted a problem.
func (c *compiler) transform(p *strict.Place) *Transform {
	before := c.Failed()
	var keys transformKeys
	c.Struct([]any{&keys}, p)
	t := &Transform{place: p.Path()}
	if c.current != nil {
		t.route = c.current.Name
	}
	if keys.Data.Set() {
		if text, ok := c.Text(keys.Data.Place); ok {
			t.data = c.computedBy(keys.Data.Place, text, "data", dataProblem)
		}
	}
	if keys.Set.Set() {
		t.set = c.assignments(keys.Set.Place, "set.", c.attributeName, c.checkAttribute)
	}
	if keys.Remove.Set() {
		t.remove = c.removed(keys.Remove.Place, t)
	}
	if keys.Headers.Set() {
		t.headers = c.assignments(keys.Headers.Place, "headers.", c.headerName, c.checkHeader)
	}
	if c.Failed() > before {
		return nil
	}
	if t.data == nil && len(t.set)+len(t.remove)+len(t.headers) == 0 {
		c.Fail(p, "changes nothing: give it `data`, `set`, `remove` or `headers`")
		return nil
	}
	return t
}

// assignments compiles a mapping of names to values, sorted: none sees another.
func (c *compiler) assignments(p *strict.Place, within string, name func(*strict.Place) (string, bool), check func(*strict.Place, string, strict.Text)) []assignment {
	members := c.Members(p)
	if len(members) > maxAssigned {
		c.Fail(p, "has more than %d members", maxAssigned)
		return nil
	}
	var all []assignment
	for i := range members {
		m := &members[i]
		name, ok := name(m)
		if !ok {
			continue
		}
		if slices.ContainsFunc(all, func(a assignment) bool { return a.name == name }) {
			c.FailKey(m, "%s is set here twice", name)
			continue
		}
		if value := c.computed(m, within+name, func(text strict.Text) { check(m, name, text) }); value != nil {
			all = append(all, assignment{name, value})
		}
	}
	slices.SortFunc(all, byName)
	return all
}

// computed compiles a value: text, or {cel: expression}.
func (c *compiler) computed(p *strict.Place, path string, check func(strict.Text)) *computed {
	if at := p.Member("cel"); at != nil {
		if p.Len() > 1 {
			c.Fail(p, "must be text, or {cel: expression}; not another mapping")
			return nil
		}
		text, ok := c.Text(at)
		if !ok {
			return nil
		}
		return c.computedBy(at, text, path, textProblem)
	}
	if p.IsMapping() && p.Member("file") == nil {
		c.Fail(p, "must be text, or {cel: expression}; text that begins with a brace is put in quotes")
		return nil
	}
	text, ok := c.Text(p)
	if !ok {
		return nil
	}
	if !text.Foreign && readsAsExpression(text.Value) {
		c.Fail(p, "is text, and reads like an expression: write {cel: %s} for its value, or {cel: %s} for the text", singleQuoted(text.Value), singleQuoted(fmt.Sprintf("%q", text.Value)))
		return nil
	}
	check(text)
	return &computed{path: path, source: text.Value, foreign: text.Foreign}
}

func (c *compiler) computedBy(p *strict.Place, text strict.Text, path string, wrong func(*cel.Type) string) *computed {
	program, uses := c.program(p, text, wrong)
	if program == nil {
		return nil
	}
	return &computed{path: path, source: text.Value, program: program, uses: uses, foreign: text.Foreign}
}

// singleQuoted is text as YAML quotes it, for a message.
func singleQuoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// readsAsExpression tells text that was meant for an expression by its looks:
// it is legal CEL, and speaks of the event or is a text in quotes.
func readsAsExpression(text string) bool {
	env, err := environment()
	if err != nil || len(text) > maxExpression {
		return false
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		return false
	}
	tree := checked.NativeRep()
	for _, reference := range tree.ReferenceMap() {
		if slices.Contains(variableNames, reference.Name) {
			return true
		}
	}
	e := tree.Expr()
	return e.Kind() == ast.LiteralKind && e.AsLiteral().Type() == types.StringType
}

func dataProblem(out *cel.Type) string {
	switch out.Kind() {
	case types.DurationKind, types.TypeKind:
		return fmt.Sprintf("must give a value that JSON can write, and is of type %s", out)
	}
	return ""
}

func textProblem(out *cel.Type) string {
	switch out.Kind() {
	case types.StringKind, types.BoolKind, types.IntKind, types.UintKind, types.DoubleKind, types.BytesKind,
		types.TimestampKind, types.DynKind, types.AnyKind, types.NullTypeKind:
		return ""
	}
	return fmt.Sprintf("must give text, a number, a boolean, a time or bytes, and is of type %s", out)
}

// settable are the keys that have a meaning of their own, for the nearest one.
var settable = []string{
	"event_type", "event_source", "event_id", "type", "source", "id", "subject", "time", "datacontenttype", "dataschema",
}

// attributeName is the attribute that a key of set, or an item of remove, names.
func (c *compiler) attributeName(p *strict.Place) (string, bool) {
	name := p.Name()
	switch name {
	case "event_type", "event_source", "event_id":
		return strings.TrimPrefix(name, "event_"), true
	case "specversion":
		c.FailKey(p, "cannot be set: every event here is of version %s", keg.SpecVersion)
		return "", false
	case "data":
		c.FailKey(p, "is no attribute: it stands beside `set`, as `data`")
		return "", false
	}
	if name == "keghops" || strings.HasPrefix(name, "kegdlq") {
		c.FailKey(p, "cannot be set: KEG itself writes it")
		return "", false
	}
	if !isAttributeName(name) {
		c.FailUnknown(p, settable)
		return "", false
	}
	return name, true
}

func (c *compiler) removed(p *strict.Place, t *Transform) []string {
	var names []string
	items := c.Items(p)
	for i := range items {
		text, ok := c.Text(&items[i])
		if !ok {
			continue
		}
		name := text.Value
		switch {
		case contextAttributes[strings.TrimPrefix(name, "event_")] || name == "specversion":
			c.Fail(&items[i], "%s cannot be removed: every event has one", name)
		case name == "data" || !isAttributeName(name):
			c.Fail(&items[i], "must be the name of an attribute, not %s%s", text, text.DidYouMean(settable[3:]))
		case t.gives(name):
			c.Fail(&items[i], "%s is set and removed", name)
		case !slices.Contains(names, name):
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// checkAttribute judges text that stands in the table, rather than each event.
func (c *compiler) checkAttribute(p *strict.Place, name string, text strict.Text) {
	probe := &keg.Event{ID: "1", Source: "s", Type: "t"}
	switch {
	case text.Value == "" && contextAttributes[name]:
		c.Fail(p, "must not be empty")
		return
	case len(text.Value) > maxSetValue:
		c.Fail(p, "must not be longer than %d bytes", maxSetValue)
		return
	case name == "time":
		if _, err := time.Parse(time.RFC3339, text.Value); err != nil {
			c.Fail(p, "must be a time such as 2026-01-31T12:00:00Z (RFC 3339), not %s", text)
		}
		return
	}
	setAttribute(probe, name, text.Value)
	for _, err := range keg.Problems(probe.Validate()) {
		problem := err.Error()
		if illegal, ok := err.(*keg.InvalidError); ok {
			problem = illegal.Problem
		}
		c.Fail(p, "%s", problem)
	}
}

func (c *compiler) headerName(p *strict.Place) (string, bool) {
	name := strings.ToLower(p.Name())
	if problem := unforwardable(name); problem != "" {
		c.FailKey(p, "%q %s", p.Name(), problem)
		return "", false
	}
	return name, true
}

func (c *compiler) checkHeader(p *strict.Place, _ string, text strict.Text) {
	switch {
	case len(text.Value) > maxSetValue:
		c.Fail(p, "must not be longer than %d bytes", maxSetValue)
	case !httpguts.ValidHeaderFieldValue(text.Value):
		c.Fail(p, "has a character that no header may have, such as a line break")
	}
}
