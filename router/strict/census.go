package strict

import (
	"fmt"

	"gopkg.in/yaml.v3"
)

// census walks a document once, before anybody else does, so that no later
// walk needs to fear what aliases can build: a cycle, or a few lines that stand
// for a billion values.
type census struct {
	known map[*yaml.Node]extent // of what anchors name; zero while it is being counted
	errs  Errors
}

// extent is how many values a node stands for, and over how many levels.
type extent struct{ values, levels int }

func (c *census) fail(n *yaml.Node, format string, args ...any) {
	if len(c.errs) <= maxErrors {
		c.errs = append(c.errs, &Error{Line: n.Line, Column: n.Column, Problem: fmt.Sprintf(format, args...)})
	}
}

func (c *census) count(n *yaml.Node, depth int) extent {
	if n.Kind == yaml.AliasNode {
		if e, counted := c.known[n.Alias]; counted && e.values == 0 {
			c.fail(n, "the alias *%s stands inside of what it names", n.Value)
			return extent{1, 1}
		}
		return c.count(n.Alias, depth)
	}
	if e, counted := c.known[n]; counted {
		if depth+e.levels-1 > maxDepth {
			c.fail(n, "is nested deeper than %d levels where an alias repeats it", maxDepth)
		}
		return e
	}
	if depth > maxDepth {
		c.fail(n, "is nested deeper than %d levels", maxDepth)
		return extent{1, 1}
	}
	if n.Anchor != "" {
		c.known[n] = extent{}
	}
	c.tag(n)
	e := extent{1, 1}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			c.key(child)
			e.values++
			continue
		}
		below := c.count(child, depth+1)
		e.values, e.levels = min(e.values+below.values, maxNodes+1), max(e.levels, below.levels+1)
	}
	if n.Anchor != "" {
		c.known[n] = e
	}
	if depth == 1 && e.values > maxNodes {
		c.fail(n, "holds more than %d values", maxNodes)
	}
	return e
}

func (c *census) key(n *yaml.Node) {
	switch {
	case n.Kind != yaml.ScalarNode:
		c.fail(n, "a key must be text")
	case n.Tag == "!!merge":
		c.fail(n, "merge keys (<<) are not read here: use `defaults`, or an alias for a whole value")
	}
}

func (c *census) tag(n *yaml.Node) {
	switch n.Tag {
	case nullTag, boolTag, strTag, intTag, numTag, timeTag, mapTag, seqTag:
	default:
		c.fail(n, "the tag %s is not read here", n.Tag)
	}
}
