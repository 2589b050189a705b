package strict

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/kong/keg"
)

// Options are what a document may draw on beside itself.
type Options struct {
	// Secrets, where it is not nil, is looked into before the environment.
	Secrets map[string]keg.Secret
	// LookupEnv is os.LookupEnv where nil.
	LookupEnv func(string) (string, bool)
	// ReadFile is os.ReadFile where nil.
	ReadFile func(string) ([]byte, error)
}

// Decoder decodes one document and collects what is wrong with it. It is for
// one goroutine.
type Decoder struct {
	file     string
	options  Options
	errs     Errors
	revealed []string               // what variables and files have held
	files    map[string]fileContent // by path: a default is read for many destinations
}

// NewDecoder returns a decoder for the document of that name.
func NewDecoder(file string, o Options) *Decoder {
	return &Decoder{file: file, options: o.orSystem(), files: map[string]fileContent{}}
}

// Fail notes a problem at a place.
func (d *Decoder) Fail(p *Place, format string, args ...any) {
	d.fail(p, p.at, format, args...)
}

// FailKey notes a problem at the key of a place.
func (d *Decoder) FailKey(p *Place, format string, args ...any) {
	at := p.at
	if p.key != nil {
		at = p.key
	}
	d.fail(p, at, format, args...)
}

func (d *Decoder) fail(p *Place, at *yaml.Node, format string, args ...any) {
	d.errs = append(d.errs, &Error{
		File: d.file, Line: at.Line, Column: at.Column, Path: clean(p.Path()), Problem: clean(fmt.Sprintf(format, args...)),
	})
}

// FailInside notes a problem at a line (from 1) and column (from 0) of a
// string. Where the string does not stand in the document as it reads, in a
// block or with escapes, the place is told in words.
func (d *Decoder) FailInside(p *Place, line, column int, format string, args ...any) {
	at := *p.at
	plain := p.node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && !strings.ContainsAny(p.node.Value, "\n\\'\"$")
	if !plain || line != 1 || p.node != p.at {
		d.fail(p, &at, "%s (line %d, column %d of the text)", fmt.Sprintf(format, args...), line, column+1)
		return
	}
	at.Column += column
	if p.node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		at.Column++
	}
	d.fail(p, &at, format, args...)
}

// FailUnknown notes a key that is none of those known here.
func (d *Decoder) FailUnknown(p *Place, known []string) {
	d.FailKey(p, "unknown key%s", didYouMean(p.name, known))
}

// Failed returns how many problems there are so far.
func (d *Decoder) Failed() int { return len(d.errs) }

// Err is nil, or everything that was wrong: an [Errors].
func (d *Decoder) Err() error {
	if len(d.errs) == 0 {
		return nil
	}
	return d.errs.tidy()
}

// Members returns the members of a mapping, in order. A key that stands twice
// is a problem, and so is any other value; an empty list counts as an empty
// mapping, because Lua cannot tell them apart.
func (d *Decoder) Members(p *Place) []Place {
	n := p.node
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		d.Fail(p, "must be a mapping of keys to values, not %s", d.describe(p))
		return nil
	}
	members := make([]Place, 0, len(n.Content)/2)
	first := func(name string) int {
		return slices.IndexFunc(members, func(m Place) bool { return m.name == name })
	}
	if len(n.Content) > 32 {
		index := make(map[string]int, len(n.Content)/2)
		first = func(name string) int {
			if i, known := index[name]; known {
				return i
			}
			index[name] = len(members)
			return -1
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		m := p.member(n.Content[i], n.Content[i+1])
		if twin := first(m.name); twin >= 0 {
			d.FailKey(&m, "the key stands here twice; first on line %d", members[twin].key.Line)
			continue
		}
		members = append(members, m)
	}
	return members
}

// Items returns the items of a list. An empty mapping counts as an empty list,
// because Lua cannot tell them apart.
func (d *Decoder) Items(p *Place) []Place {
	n := p.node
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		d.Fail(p, "must be a list, not %s", d.describe(p))
		return nil
	}
	items := make([]Place, len(n.Content))
	for i, child := range n.Content {
		items[i] = p.item(i, child)
	}
	return items
}
