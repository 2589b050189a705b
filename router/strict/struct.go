package strict

import (
	"reflect"

	"gopkg.in/yaml.v3"
)

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
