package router

import "slices"

// What a match demands of an attribute is read off its clauses, for the index:
// it may be wider than what they take, never narrower.

// demanded returns the values of an attribute of which one is needed for the
// clause to hold, where it is so simple.
func demanded(c clause, name attribute) (keys, bool) {
	switch c := c.(type) {
	case every:
		for _, clause := range c.clauses {
			if k, ok := demanded(clause, name); ok {
				return k, true
			}
		}
	case some:
		var all keys
		for _, clause := range c.clauses {
			k, ok := demanded(clause, name)
			if !ok {
				return keys{}, false
			}
			all.exact, all.prefixes = append(all.exact, k.exact...), append(all.prefixes, k.prefixes...)
		}
		return all, len(c.clauses) > 0
	case *look:
		if c.subject == subject(name) {
			return accepts(c.test)
		}
	}
	return keys{}, false
}

// accepts is demanded for a test.
func accepts(t test) (keys, bool) {
	switch t := t.(type) {
	case anyValue:
		return passed(t.element)
	case everyTest:
		for _, test := range t {
			if k, ok := accepts(test); ok {
				return k, true
			}
		}
	case anyTest:
		var all keys
		for _, test := range t {
			k, ok := accepts(test)
			if !ok {
				return keys{}, false
			}
			all.exact, all.prefixes = append(all.exact, k.exact...), append(all.prefixes, k.prefixes...)
		}
		return all, true
	}
	return keys{}, false
}

func passed(e element) (keys, bool) {
	switch e := e.(type) {
	case equalText:
		return keys{exact: []string{string(e)}}, true
	case equalOneOf:
		var k keys
		for text := range e {
			k.exact = append(k.exact, text)
		}
		return k, true
	case prefix:
		return keys{prefixes: []string{string(e)}}, true
	case wildcard:
		if len(e) == 1 {
			return keys{exact: []string{e[0]}}, true
		}
		return keys{prefixes: []string{e[0]}}, e[0] != ""
	case together:
		for _, element := range e {
			if k, ok := passed(element); ok {
				return k, true
			}
		}
	}
	return keys{}, false
}

// proves tells of a match that demands a type or a source that it demands
// nothing else.
func proves(c clause) bool {
	l, ok := c.(*look)
	return ok && exhausted(l.test)
}

func exhausted(t test) bool {
	switch t := t.(type) {
	case anyTest:
		return !slices.ContainsFunc(t, func(t test) bool { return !exhausted(t) })
	case anyValue:
		switch t.element.(type) {
		case equalText, equalOneOf, prefix:
			return true
		}
	}
	return false
}
