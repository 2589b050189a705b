package strict

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Options are what a document may draw on beside itself.
type Options struct {
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
		File: d.file, Line: at.Line, Column: at.Column, Path: p.Path(), Problem: clean(fmt.Sprintf(format, args...)),
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

// Struct decodes one mapping into several structs, given as pointers, whose
// keys it may mix. Later layers, each a mapping of the same keys, win over
// earlier ones: nested structs key by key, all else as a whole. Where a key is
// required some layer must have it. In the end each struct that has a
// `Validate() error` is asked.
func (d *Decoder) Struct(into []any, layers ...*Place) { d.structs(into, layers, false) }

// Partial is Struct for what a later layer will complete: nothing is required,
// no default set, and nothing validated.
func (d *Decoder) Partial(into []any, layers ...*Place) { d.structs(into, layers, true) }

func (d *Decoder) structs(into []any, layers []*Place, partial bool) {
	targets := make([]reflect.Value, len(into))
	for i := range into {
		targets[i] = reflect.ValueOf(into[i]).Elem()
	}
	before := len(d.errs)
	d.mapping(targets, layers, partial)
	if partial {
		return
	}
	for _, target := range into {
		if v, ok := target.(interface{ Validate() error }); ok {
			d.validated(v.Validate(), layers, before)
		}
	}
}

// mapping fills the targets from all layers at once.
func (d *Decoder) mapping(targets []reflect.Value, layers []*Place, partial bool) {
	all := make([][]field, len(targets))
	total := 0
	for i, target := range targets {
		all[i] = plan(target.Type())
		total += len(all[i])
	}
	found := make([]given, total) // in the order of the targets and their fields
	shapeless := false
	for _, layer := range layers {
		before := len(d.errs)
		members := d.Members(layer)
		shapeless = shapeless || members == nil && len(d.errs) > before
		for m := range members {
			member := &members[m]
			if at := fieldNamed(all, member.name); at < 0 {
				d.FailUnknown(member, names(all))
			} else if !member.IsNull() {
				found[at].add(member)
			}
		}
	}
	at := -1
	for i, target := range targets {
		for j := range all[i] {
			f := &all[i][j]
			at++
			v := target.Field(f.index)
			if f.fallback.IsValid() && !partial {
				v.Set(cloned(f.fallback))
			}
			switch places := found[at].places; {
			case len(places) > 0:
				before := len(d.errs)
				d.value(v, f, places, partial)
				if f.required && !partial && len(d.errs) == before && hollow(v, f) {
					d.Fail(places[len(places)-1], "must not be empty")
				}
			case f.required && !partial && !shapeless:
				last := layers[len(layers)-1]
				missing := last.member(&yaml.Node{Value: f.name}, last.node)
				d.fail(&missing, last.at, "is required")
			case f.typ.Kind() == reflect.Struct && f.typ != secretType && f.typ != rawType && !partial:
				setDefaults(v)
			}
		}
	}
}

// given are the layers that have one field; mostly there is one.
type given struct {
	places []*Place
	first  [1]*Place
}

func (g *given) add(p *Place) {
	if g.places == nil {
		g.places = g.first[:0]
	}
	g.places = append(g.places, p)
}

// fieldNamed returns a field's place among all of them, or -1.
func fieldNamed(all [][]field, name string) int {
	at := 0
	for _, fields := range all {
		for i := range fields {
			if fields[i].name == name {
				return at
			}
			at++
		}
	}
	return -1
}

// hollow tells that a value that is required says nothing. What a [Raw] says is
// for its reader to judge.
func hollow(v reflect.Value, f *field) bool {
	switch {
	case f.typ == rawType:
		return false
	case v.Kind() == reflect.Slice:
		return v.Len() == 0 || v.Len() == 1 && v.Index(0).IsZero()
	case v.Kind() == reflect.String || f.typ == secretType:
		return v.IsZero()
	}
	return false
}

// validated gives the problems of a Validate method their places. What the
// document's shape was already blamed for is not said again.
func (d *Decoder) validated(err error, layers []*Place, before int) {
	for _, err := range unjoined(err) {
		problem, path := err.Error(), ""
		if f := fieldProblem(err); f != nil {
			problem, path = f.Problem, f.Path
		}
		at := layers[len(layers)-1]
		for i := len(layers) - 1; i >= 0 && path != ""; i-- {
			if found, whole := layers[i].lookup(path); whole {
				at = found
				break
			}
		}
		full := layers[len(layers)-1].Path()
		if path != "" {
			full += "." + path
		}
		if at.Path() != layers[len(layers)-1].Path() {
			full = at.Path()
		}
		if d.blamed(full, before) {
			continue
		}
		d.errs = append(d.errs, &Error{File: d.file, Line: at.at.Line, Column: at.at.Column, Path: full, Problem: clean(d.masked(problem))})
	}
}

func (d *Decoder) blamed(path string, before int) bool {
	for _, e := range d.errs[before:] {
		if e.Path == path {
			return true
		}
	}
	return false
}

func unjoined(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, unjoined(e)...)
		}
		return all
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

func setDefaults(v reflect.Value) {
	fields := plan(v.Type())
	for i := range fields {
		f := &fields[i]
		if f.fallback.IsValid() {
			v.Field(f.index).Set(cloned(f.fallback))
		} else if f.typ.Kind() == reflect.Struct && f.typ != secretType && f.typ != rawType {
			setDefaults(v.Field(f.index))
		}
	}
}

// cloned keeps two structs from sharing the slice that a default made.
func cloned(v reflect.Value) reflect.Value {
	if v.Kind() != reflect.Slice {
		return v
	}
	return reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v)
}
