package strict

import (
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Place is one value of a document, and the way that leads to it.
type Place struct {
	node   *yaml.Node // the value; an alias is already followed
	key    *yaml.Node // of the member, or nil
	at     *yaml.Node // where the value is written, which for an alias is not node
	parent *Place
	name   string // the key's text, or "" for an item
	index  int
}

func root(node *yaml.Node) *Place { return &Place{node: node, at: node} }

func (p *Place) member(key, value *yaml.Node) Place {
	return Place{node: followed(value), key: key, at: value, parent: p, name: key.Value}
}

func (p *Place) item(i int, value *yaml.Node) Place {
	return Place{node: followed(value), at: value, parent: p, index: i}
}

// followed needs no bound: [Read] has refused aliases that lead to themselves.
func followed(node *yaml.Node) *yaml.Node {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}

// Name is the key that the value is a member by; "" for an item of a list.
func (p *Place) Name() string { return p.name }

// Line is where the value is written, counting from 1.
func (p *Place) Line() int { return p.at.Line }

// Path is the way to the value, "" for the whole document.
func (p *Place) Path() string {
	var steps []*Place
	for at := p; at != nil && at.parent != nil; at = at.parent {
		steps = append(steps, at)
	}
	var b strings.Builder
	for i := len(steps) - 1; i >= 0; i-- {
		b.WriteString(steps[i].step(b.Len() == 0))
	}
	return b.String()
}

func (p *Place) step(first bool) string {
	switch {
	case p.key == nil:
		return "[" + strconv.Itoa(p.index) + "]"
	case first:
		return p.name
	}
	return "." + p.name
}

// IsNull reports whether the value is null, which in a struct means absent.
func (p *Place) IsNull() bool { return p.node.Kind == yaml.ScalarNode && p.node.Tag == nullTag }

// IsMapping reports whether the value is a mapping.
func (p *Place) IsMapping() bool { return p.node.Kind == yaml.MappingNode }

// IsList reports whether the value is a list.
func (p *Place) IsList() bool { return p.node.Kind == yaml.SequenceNode }

// Len is how many members or items the value has.
func (p *Place) Len() int {
	if p.IsMapping() {
		return len(p.node.Content) / 2
	}
	return len(p.node.Content)
}

// Member is the member of that name, or nil.
func (p *Place) Member(name string) *Place {
	if !p.IsMapping() {
		return nil
	}
	for i := 0; i+1 < len(p.node.Content); i += 2 {
		if p.node.Content[i].Value == name {
			m := p.member(p.node.Content[i], p.node.Content[i+1])
			return &m
		}
	}
	return nil
}

// Select returns a mapping of the named members alone, as if the document had
// said no more at this place.
func (p *Place) Select(names ...string) *Place {
	some := *p
	some.node = &yaml.Node{Kind: yaml.MappingNode, Tag: mapTag, Line: p.node.Line, Column: p.node.Column}
	if !p.IsMapping() {
		return &some
	}
	for i := 0; i+1 < len(p.node.Content); i += 2 {
		for _, name := range names {
			if p.node.Content[i].Value == name {
				some.node.Content = append(some.node.Content, p.node.Content[i], p.node.Content[i+1])
			}
		}
	}
	return &some
}

// lookup goes down by path ("tls.cert", "address[1]") as far as the document
// does, and returns where that is.
func (p *Place) lookup(path string) (*Place, bool) {
	path = strings.NewReplacer("[", ".", "]", "").Replace(path)
	for at := p; ; {
		if path == "" {
			return at, true
		}
		next, rest, ok := at.step1(path)
		if !ok {
			return at, false
		}
		at, path = next, rest
	}
}

// step1 takes the longest member name that path begins with: keys such as
// "headers.x-tenant" hold dots.
func (p *Place) step1(path string) (*Place, string, bool) {
	first, rest, _ := strings.Cut(path, ".")
	switch p.node.Kind {
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(first); err == nil && i >= 0 && i < len(p.node.Content) {
			next := p.item(i, p.node.Content[i])
			return &next, rest, true
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(p.node.Content); i += 2 {
			name := p.node.Content[i].Value
			if after, ok := strings.CutPrefix(path, name); ok && name != "" && (after == "" || after[0] == '.') {
				next := p.member(p.node.Content[i], p.node.Content[i+1])
				return &next, strings.TrimPrefix(after, "."), true
			}
		}
	}
	return nil, "", false
}
