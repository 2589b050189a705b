package strict

import "gopkg.in/yaml.v3"

// Kind is what a scalar is in its document.
type Kind uint8

// The kinds. What a variable or a file holds is a Str.
const (
	Str Kind = iota
	Num
	Bool
	Null
)

// Scalar is a value that is neither a mapping nor a list, with its kind.
type Scalar struct {
	Text
	Kind Kind
}

// Scalar reads any scalar as what it is written as.
func (d *Decoder) Scalar(p *Place) (Scalar, bool) {
	if p.node.Kind == yaml.ScalarNode {
		plain := Text{Value: p.node.Value, Written: p.node.Value}
		switch p.node.Tag {
		case nullTag:
			return Scalar{Text{Value: "null", Written: "null"}, Null}, true
		case boolTag:
			return Scalar{plain, Bool}, true
		case intTag, numTag:
			return Scalar{plain, Num}, true
		}
	}
	t, ok := d.Text(p)
	return Scalar{t, Str}, ok
}

// String shows numbers and booleans bare.
func (s Scalar) String() string {
	if s.Kind == Str {
		return s.Text.String()
	}
	return shown(s.Value)
}

// Plain returns a string as the document has it, where the value is one.
func (p *Place) Plain() (string, bool) {
	n := p.node
	return n.Value, n.Kind == yaml.ScalarNode && (n.Tag == strTag || n.Tag == timeTag)
}

// Quote renders a string for people, cut where it is long.
func Quote(text string) string { return quoted(text) }

// Written renders a value as its document has it, on one line: what variables
// and files hold is not in it.
func Written(p *Place) string { return render(p.node) }

func render(n *yaml.Node) string {
	n = followed(n)
	switch n.Kind {
	case yaml.ScalarNode:
		if text, ok := (&Place{node: n}).Plain(); ok {
			return quoted(text)
		}
		return shown(n.Value)
	case yaml.SequenceNode:
		return renderAll(n, "[", "]", 1)
	}
	return renderAll(n, "{", "}", 2)
}

// maxRendered is how many members or items a rendered value shows.
const maxRendered = 8

func renderAll(n *yaml.Node, open, close string, step int) string {
	text := open
	for i := 0; i+step <= len(n.Content); i += step {
		if i > 0 {
			text += ", "
		}
		if i/step == maxRendered || len(text) > 4*longest {
			text += "…"
			break
		}
		if step == 2 {
			text += shown(n.Content[i].Value) + ": "
		}
		text += render(n.Content[i+step-1])
	}
	return text + close
}
