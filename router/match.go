package router

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/kong/keg/router/strict"
)

// A route's match compiles to a tree of clauses. Its leaves look at one thing
// of an event and test what they see (look), or ask CEL (when); its branches
// are all, any and not.

// clause is one condition on an event.
type clause interface {
	holds(v *view) bool
	// why returns the first condition that does not hold, or nil where all do.
	why(v *view) *failure
	// cost orders clauses: the cheap ones are asked first.
	cost() int
}

type (
	// every holds where all of its clauses do; of none, it holds.
	every struct {
		written []clause // in the document's order, for explanations
		clauses []clause // in the order of their cost
	}
	// some holds where one of its clauses does.
	some struct {
		key     string
		clauses []clause
	}
	// negation holds where its clause does not.
	negation struct {
		key    string
		clause clause
	}
	// look holds where what its subject shows passes the test.
	look struct {
		key     string // as written: "data.order.total"
		wanted  string // as written: `{gt: 100}`; a string without its quotes
		quote   bool
		subject subject
		test    test
	}
)

func (c every) holds(v *view) bool {
	for _, clause := range c.clauses {
		if !clause.holds(v) {
			return false
		}
	}
	return true
}

func (c some) holds(v *view) bool {
	for _, clause := range c.clauses {
		if clause.holds(v) {
			return true
		}
	}
	return false
}

func (c negation) holds(v *view) bool { return !c.clause.holds(v) }

func (c *look) holds(v *view) bool { return c.test.holds(c.subject.see(v)) }

// newEvery keeps one slice where the document's order is the cheapest.
func newEvery(written []clause) clause {
	if len(written) == 1 {
		return written[0]
	}
	byCost := func(a, b clause) int { return a.cost() - b.cost() }
	if slices.IsSortedFunc(written, byCost) {
		return every{written, written}
	}
	clauses := slices.Clone(written)
	slices.SortStableFunc(clauses, byCost)
	return every{written, clauses}
}

func (c every) cost() int    { return dearest(c.clauses) }
func (c some) cost() int     { return dearest(c.clauses) }
func (c negation) cost() int { return c.clause.cost() }
func (c *look) cost() int    { return c.subject.cost() }

func dearest(clauses []clause) int {
	most := 0
	for _, c := range clauses {
		most = max(most, c.cost())
	}
	return most
}

// matchKeys are the keys of a match that have a meaning of their own, for the
// nearest known key.
var matchKeys = []string{
	"event_type", "event_source", "event_id", "type", "source", "id", "subject", "time",
	"datacontenttype", "dataschema", "all", "any", "not", "when",
}

// match compiles a mapping of conditions. within leads from the route's match
// to this one: "", or "any[1].".
func (c *compiler) match(p *strict.Place, within string) clause {
	members := c.Members(p)
	clauses := make([]clause, 0, len(members))
	for i := range members {
		if clause := c.condition(&members[i], within+members[i].Name()); clause != nil {
			clauses = append(clauses, clause)
		}
	}
	return newEvery(clauses)
}

func (c *compiler) condition(p *strict.Place, key string) clause {
	switch p.Name() {
	case "all":
		return newEvery(c.matches(p, key))
	case "any":
		return some{key, c.matches(p, key)}
	case "not":
		return negation{key, c.match(p, key+".")}
	case "when":
		return c.when(p, key)
	}
	subject := c.subject(p)
	if subject == nil {
		return nil
	}
	test := c.test(p, operand{onTime: p.Name() == "time"})
	if test == nil {
		return nil
	}
	l := &look{key: key, subject: subject, test: test}
	if l.wanted, l.quote = p.Plain(); !l.quote {
		l.wanted = strict.Written(p)
	}
	return l
}

func (c *compiler) matches(p *strict.Place, key string) []clause {
	before := c.Failed()
	items := c.Items(p)
	if len(items) == 0 && c.Failed() == before {
		c.Fail(p, "needs at least one match")
	}
	clauses := make([]clause, 0, len(items))
	for i := range items {
		clauses = append(clauses, c.match(&items[i], key+"["+strconv.Itoa(i)+"]."))
	}
	return clauses
}

// subject finds what a key looks at, or notes why it looks at nothing.
func (c *compiler) subject(p *strict.Place) subject {
	name := p.Name()
	switch name {
	case "event_type", "event_source", "event_id":
		return attribute(strings.TrimPrefix(name, "event_"))
	}
	if header, ok := strings.CutPrefix(name, "headers."); ok {
		if !httpguts.ValidHeaderFieldName(header) {
			c.FailKey(p, "%q is no name of a header", header)
			return nil
		}
		return headerNamed(strings.ToLower(header))
	}
	if path, ok := strings.CutPrefix(name, "data."); ok {
		steps, problem := parsePath(path)
		if problem != "" {
			c.FailKey(p, "%s", problem)
			return nil
		}
		return dataAt(steps)
	}
	switch {
	case name == "time":
		return timeAttribute{}
	case name == "data" || name == "headers":
		c.FailKey(p, "name what to look at in the %s: `%s.NAME`", name, name)
	case !isAttributeName(name):
		known := matchKeys
		if first, rest, dotted := strings.Cut(name, "."); dotted {
			if known = nil; strict.Nearest(first, []string{"headers", "data"}) != "" {
				known = []string{strict.Nearest(first, []string{"headers", "data"}) + "." + rest}
			}
		}
		c.FailUnknown(p, known)
	default:
		return attribute(name)
	}
	return nil
}

// isAttributeName: CloudEvents 1.0, section 3 (naming conventions).
func isAttributeName(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return name != "" && len(name) <= 64
}
