package router

import (
	"net/netip"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"

	"github.com/kong/keg/router/strict"
)

// operand is what a value of a match is read for.
type operand struct{ onTime bool }

// operators are the keys that a value may have, but for file.
var operators = []string{
	"prefix", "suffix", "wildcard", "regex", "equals_ignore_case", "gt", "gte", "lt", "lte", "cidr", "anything_but", "exists",
}

// Bounds of what an operator carries.
const (
	maxRegex        = 1000 // bytes
	maxRegexProgram = 1000 // instructions
	longList        = 8
)

// test compiles the value of a key. It returns nil where it has noted a
// problem.
func (c *compiler) test(p *strict.Place, o operand) test {
	switch {
	case p.IsList():
		return c.listed(p, o)
	case p.IsMapping() && !(p.Len() == 1 && p.Member("file") != nil):
		return c.operators(p, o)
	}
	if element := c.equal(p, o); element != nil {
		return anyValue{element}
	}
	return nil
}

func (c *compiler) listed(p *strict.Place, o operand) test {
	items := c.Items(p)
	if len(items) == 0 {
		c.Fail(p, "needs at least one item: an empty list never holds")
		return nil
	}
	tests := make(anyTest, 0, len(items))
	for i := range items {
		if t := c.test(&items[i], o); t != nil {
			tests = append(tests, t)
		}
	}
	if len(tests) < len(items) {
		return nil
	}
	if len(tests) >= longList && !slices.ContainsFunc(tests, func(t test) bool { _, ok := literalText(t); return !ok }) {
		set := make(equalOneOf, len(tests))
		for _, t := range tests {
			text, _ := literalText(t)
			set[text] = struct{}{}
		}
		return anyValue{set}
	}
	return tests
}

func literalText(t test) (string, bool) {
	if a, ok := t.(anyValue); ok {
		if text, ok := a.element.(equalText); ok {
			return string(text), true
		}
	}
	return "", false
}

// equal compiles a plain value.
func (c *compiler) equal(p *strict.Place, o operand) element {
	scalar, ok := c.Scalar(p)
	switch {
	case !ok:
		return nil
	case o.onTime:
		if t, ok := c.instant(p, scalar); ok {
			return equalTime{t}
		}
		return nil
	}
	switch scalar.Kind {
	case strict.Null:
		return equalNull{}
	case strict.Bool:
		return equalBool(scalar.Value == "true")
	case strict.Num:
		n, ok := parseNumber(scalar.Value)
		if !ok {
			c.Fail(p, "must be a plain decimal number; write %s in quotes to mean the text", scalar)
			return nil
		}
		return equalNumber{n}
	}
	return equalText(scalar.Value)
}

// operators compiles a mapping of operators, all of which must hold. Those
// that look at one value must hold for the same one.
func (c *compiler) operators(p *strict.Place, o operand) test {
	members := c.Members(p)
	if len(members) == 0 {
		c.Fail(p, "needs an operator, such as {prefix: x}")
		return nil
	}
	var elements together
	var tests everyTest
	before := c.Failed()
	for i := range members {
		m := &members[i]
		switch m.Name() {
		case "anything_but":
			tests = append(tests, anythingBut{c.test(m, o)})
		case "exists":
			tests = append(tests, exists(c.boolean(m)))
		default:
			elements = append(elements, c.element(m, o))
		}
	}
	switch {
	case c.Failed() > before:
		return nil
	case len(elements) == 1:
		tests = append(tests, anyValue{elements[0]})
	case len(elements) > 1:
		tests = append(tests, anyValue{elements})
	}
	if len(tests) == 1 {
		return tests[0]
	}
	return tests
}

func (c *compiler) element(p *strict.Place, o operand) element {
	if accept, ok := comparisons[p.Name()]; ok {
		return c.comparison(p, o, accept)
	}
	if !slices.Contains(operators, p.Name()) {
		if p.Name() == "file" {
			c.FailKey(p, "{file: path} stands alone: it is a value, no operator")
		} else {
			c.FailUnknown(p, operators)
		}
		return nil
	}
	text, ok := c.Text(p)
	switch {
	case !ok:
		return nil
	case text.Value == "":
		c.Fail(p, "must not be empty")
		return nil
	}
	switch p.Name() {
	case "prefix":
		return prefix(text.Value)
	case "suffix":
		return suffix(text.Value)
	case "equals_ignore_case":
		return ignoreCase(text.Value)
	case "wildcard":
		return wildcard(strings.Split(text.Value, "*"))
	case "regex":
		return c.regex(p, text)
	}
	return c.cidr(p, text)
}

func (c *compiler) comparison(p *strict.Place, o operand, accept accepted) element {
	scalar, ok := c.Scalar(p)
	switch {
	case !ok:
	case o.onTime:
		if t, ok := c.instant(p, scalar); ok {
			return orderedTime{t, accept}
		}
	default:
		// Text from a variable may spell a number; text in quotes may not.
		n, ok := parseNumber(scalar.Value)
		if ok && (scalar.Kind == strict.Num || scalar.Filled) {
			return ordered{n, accept}
		}
		c.Fail(p, "must be a number, not %s", scalar)
	}
	return nil
}

func (c *compiler) instant(p *strict.Place, scalar strict.Scalar) (time.Time, bool) {
	if scalar.Kind == strict.Str {
		if t, err := time.Parse(time.RFC3339, scalar.Value); err == nil {
			return t, true
		}
	}
	c.Fail(p, "must be a time such as 2026-01-31T12:00:00Z (RFC 3339), not %s", scalar)
	return time.Time{}, false
}

func (c *compiler) boolean(p *strict.Place) bool {
	scalar, ok := c.Scalar(p)
	if ok && (scalar.Kind != strict.Bool && !scalar.Filled || scalar.Value != "true" && scalar.Value != "false") {
		c.Fail(p, "must be true or false, not %s", scalar)
	}
	return scalar.Value == "true"
}

func (c *compiler) regex(p *strict.Place, text strict.Text) element {
	if len(text.Value) > maxRegex {
		c.Fail(p, "must not be longer than %d bytes", maxRegex)
		return nil
	}
	tree, err := syntax.Parse(text.Value, syntax.Perl)
	if err != nil {
		problem := ""
		if !text.Foreign {
			problem = ": " + strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		}
		c.Fail(p, "is no regular expression that RE2 reads%s", problem)
		return nil
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil || len(program.Inst) > maxRegexProgram {
		c.Fail(p, "the regular expression is too large: it compiles to more than %d instructions", maxRegexProgram)
		return nil
	}
	compiled, err := regexp.Compile(text.Value)
	if err != nil {
		c.Fail(p, "is no regular expression that RE2 reads")
		return nil
	}
	return matches{compiled}
}

func (c *compiler) cidr(p *strict.Place, text strict.Text) element {
	block, err := netip.ParsePrefix(text.Value)
	if err != nil {
		address, err := netip.ParseAddr(text.Value)
		if err != nil || address.Zone() != "" {
			c.Fail(p, "must be a block of addresses such as 10.0.0.0/8, not %s", text)
			return nil
		}
		block = netip.PrefixFrom(address, address.BitLen())
	}
	if block.Addr().Is4In6() {
		if block.Bits() < 96 {
			c.Fail(p, "must be written as IPv4, such as 10.0.0.0/8")
			return nil
		}
		block = netip.PrefixFrom(block.Addr().Unmap(), block.Bits()-96)
	}
	return within{block.Masked()}
}
