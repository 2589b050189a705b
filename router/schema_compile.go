package router

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kong/keg/router/strict"
)

// schemaKeys are the keys of `schema` that JSON Schema does not have. Beside
// inline and file only on_violation may stand; without both, the mapping is the
// schema itself.
type schemaKeys struct {
	File        strict.Raw `keg:"file"`
	Inline      strict.Raw `keg:"inline"`
	OnViolation string     `keg:"on_violation" default:"reject" enum:"reject,dead_letter,pass"`
}

// keywords are all that JSON Schema has had, from draft 4 to 2020-12.
var keywords = []string{
	"$schema", "$id", "id", "$ref", "$anchor", "$vocabulary", "$comment", "$defs", "definitions",
	"type", "enum", "const", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "format",
	"properties", "patternProperties", "additionalProperties", "propertyNames", "required", "dependencies", "dependentRequired",
	"dependentSchemas", "unevaluatedProperties", "minProperties", "maxProperties",
	"items", "prefixItems", "additionalItems", "unevaluatedItems", "contains", "minContains", "maxContains", "minItems", "maxItems", "uniqueItems",
	"minLength", "maxLength", "pattern", "contentEncoding", "contentMediaType", "contentSchema",
	"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
	"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly",
}

// maxSchemaValues bounds a schema; the validator's work in compiling it grows
// with the square.
const maxSchemaValues = 10_000

// schema reads a route's schema and what its violation leads to.
func (c *compiler) schema(p *strict.Place, r *Route) {
	before := c.Failed()
	members := c.Members(p)
	if c.Failed() > before {
		return
	}
	r.OnViolation = ViolationReject
	if p.Member("file") != nil || p.Member("inline") != nil {
		c.namedSchema(p, r)
		return
	}
	var own []*strict.Place
	for i := range members {
		switch m := &members[i]; {
		case m.Name() == "on_violation":
			c.onViolation(p, r)
		case !slices.Contains(keywords, m.Name()) && !strings.HasPrefix(m.Name(), "x-"):
			c.FailUnknown(m, append([]string{"file", "inline", "on_violation"}, keywords...))
		default:
			own = append(own, m)
		}
	}
	if len(own) == 0 && c.Failed() == before {
		c.Fail(p, "needs the schema: {file: order.schema.json}, {inline: {…}}, or the keywords of one")
		return
	}
	tree := make(map[string]any, len(own))
	hidden := false
	for _, m := range own {
		value, foreign, _ := c.Tree(m)
		tree[m.Name()], hidden = value, hidden || foreign
	}
	if c.Failed() == before {
		r.Schema = c.compiled(p, r, tree, hidden, "")
	}
}

func (c *compiler) onViolation(p *strict.Place, r *Route) {
	var keys schemaKeys
	c.Struct([]any{&keys}, p.Select("on_violation"))
	r.OnViolation = OnViolation(keys.OnViolation)
}

// namedSchema reads {file: path} and {inline: schema}.
func (c *compiler) namedSchema(p *strict.Place, r *Route) {
	before := c.Failed()
	var keys schemaKeys
	c.Struct([]any{&keys}, p)
	r.OnViolation = OnViolation(keys.OnViolation)
	switch {
	case c.Failed() > before:
	case keys.File.Set() && keys.Inline.Set():
		c.Fail(p, "has both a file and an inline schema: give it one")
	case keys.Inline.Set():
		if !keys.Inline.IsMapping() {
			c.Fail(keys.Inline.Place, "must be a schema, which is a mapping")
			return
		}
		if tree, hidden, ok := c.Tree(keys.Inline.Place); ok {
			r.Schema = c.compiled(keys.Inline.Place, r, tree, hidden, "")
		}
	case keys.File.Set():
		text, path, ok := c.File(keys.File.Place, c.besideTable)
		if !ok {
			return
		}
		tree, ok := parseJSON([]byte(text))
		if _, object := tree.(map[string]any); !ok || !object {
			c.Fail(keys.File.Place, "the file holds no JSON Schema: it must be one JSON object, no deeper than %d levels", maxJSONDepth)
			return
		}
		r.Schema = c.compiled(keys.File.Place, r, tree, false, path.Written)
	default:
		c.Fail(p, "needs the schema: {file: order.schema.json}, {inline: {…}}, or the keywords of one")
	}
}

// besideTable resolves a path by the table's own file.
func (c *compiler) besideTable(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(c.file), path)
}

// compiled compiles a schema, once for all routes that have the same.
func (c *compiler) compiled(p *strict.Place, r *Route, tree any, hidden bool, file string) *Schema {
	text, err := json.Marshal(tree)
	if err != nil {
		c.Fail(p, "is no schema: %v", err)
		return nil
	}
	known, ok := c.checkers[string(text)]
	if !ok {
		if err = refused(tree); err == nil {
			known, err = newChecker(func() (*counted, error) { return compileSchema(tree) })
		}
		if err != nil {
			problem := ": " + schemaProblem(err)
			if hidden {
				problem = ": what is wrong with it is not shown, because some of it came from a variable"
			}
			c.Fail(p, "is no JSON Schema that can be used%s", problem)
			return nil
		}
		c.checkers[string(text)] = known
	}
	return &Schema{File: file, route: r.Name, hidden: hidden, checker: known}
}
