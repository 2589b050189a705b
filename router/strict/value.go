package strict

import (
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/kong/keg"
)

// value fills one field. places are the layers that have it, the last of which
// wins, except that structs are filled from all of them.
func (d *Decoder) value(v reflect.Value, f *field, places []*Place, partial bool) {
	last := places[len(places)-1]
	switch {
	case f.typ == rawType:
		v.Set(reflect.ValueOf(Raw{last}))
	case f.typ == secretType, f.typ == durationType:
		d.scalar(v, f, last)
	default:
		d.shaped(v, f, places, partial)
	}
}

func (d *Decoder) shaped(v reflect.Value, f *field, places []*Place, partial bool) {
	last := places[len(places)-1]
	switch f.typ.Kind() {
	case reflect.Struct:
		d.mapping([]reflect.Value{v}, places, partial)
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(f.typ.Elem()))
		}
		of := *f
		of.typ = f.typ.Elem()
		d.value(v.Elem(), &of, places, partial)
	case reflect.Slice:
		d.list(v, f, last, partial)
	case reflect.Map:
		d.table(v, f, last, partial)
	default:
		d.scalar(v, f, last)
	}
}

func (d *Decoder) list(v reflect.Value, f *field, p *Place, partial bool) {
	of := *f
	of.typ, of.split, of.fallback = f.typ.Elem(), false, reflect.Value{}
	if f.split && !p.IsList() && !(p.IsMapping() && len(p.node.Content) == 0) {
		text, ok := d.Text(p)
		if !ok {
			return
		}
		v.Set(reflect.MakeSlice(f.typ, 0, 1))
		for part := range strings.SplitSeq(text.Value, ",") {
			item := reflect.ValueOf(strings.TrimSpace(part))
			if of.typ == secretType {
				item = reflect.ValueOf(keg.NewSecret(item.String()))
			}
			v.Set(reflect.Append(v, item.Convert(of.typ)))
		}
		return
	}
	items := d.Items(p)
	v.Set(reflect.MakeSlice(f.typ, len(items), len(items)))
	for i := range items {
		if items[i].IsNull() && of.typ != rawType {
			d.Fail(&items[i], "must not be null")
			continue
		}
		d.value(v.Index(i), &of, []*Place{&items[i]}, partial)
	}
}

func (d *Decoder) table(v reflect.Value, f *field, p *Place, partial bool) {
	of := *f
	of.typ, of.fallback = f.typ.Elem(), reflect.Value{}
	members := d.Members(p)
	v.Set(reflect.MakeMapWithSize(f.typ, len(members)))
	for i := range members {
		if members[i].IsNull() {
			d.Fail(&members[i], "must not be null")
			continue
		}
		element := reflect.New(of.typ).Elem()
		d.value(element, &of, []*Place{&members[i]}, partial)
		v.SetMapIndex(reflect.ValueOf(members[i].name).Convert(f.typ.Key()), element)
	}
}

// describe says what a value is, and shows it where it is short and the
// document's own: for messages.
func (d *Decoder) describe(p *Place) string {
	switch p.node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch p.node.Tag {
	case nullTag:
		return "null"
	case boolTag:
		return p.node.Value
	case intTag, numTag:
		return "the number " + shown(p.node.Value)
	}
	return quoted(p.node.Value)
}
