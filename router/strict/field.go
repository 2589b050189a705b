package strict

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kong/keg"
)

// Raw is a field that is not decoded but kept as its place, for whoever knows
// what belongs there.
type Raw struct{ *Place }

// Set reports whether the document has the key.
func (r Raw) Set() bool { return r.Place != nil }

var (
	rawType      = reflect.TypeFor[Raw]()
	secretType   = reflect.TypeFor[keg.Secret]()
	durationType = reflect.TypeFor[time.Duration]()
)

// field is what the tags of one struct field say.
type field struct {
	name            string
	index           int
	typ             reflect.Type
	required, split bool
	doc, ref        string
	enum            []string
	min, max        string
	low, high       reflect.Value // min and max in the field's own type
	fallback        reflect.Value // the default; zero without one
}

var plans sync.Map // reflect.Type -> []field

func plan(t reflect.Type) []field {
	if known, ok := plans.Load(t); ok {
		return known.([]field)
	}
	fields := make([]field, 0, t.NumField())
	for i := range t.NumField() {
		if f, ok := readTags(t, t.Field(i), i); ok {
			fields = append(fields, f)
		}
	}
	plans.Store(t, fields)
	return fields
}

func readTags(t reflect.Type, sf reflect.StructField, index int) (field, bool) {
	tag, ok := sf.Tag.Lookup("keg")
	if !ok {
		return field{}, false
	}
	wrong := func(problem string) { panic(fmt.Sprintf("strict: %s.%s: %s", t, sf.Name, problem)) }
	name, flags, _ := strings.Cut(tag, ",")
	f := field{name: name, index: index, typ: sf.Type, doc: sf.Tag.Get("doc"), ref: sf.Tag.Get("ref")}
	f.min, f.max = sf.Tag.Get("min"), sf.Tag.Get("max")
	for flag := range strings.SplitSeq(flags, ",") {
		switch flag {
		case "":
		case "required":
			f.required = true
		case "split":
			f.split = true
		default:
			wrong("unknown flag " + flag)
		}
	}
	if !sf.IsExported() || name == "" {
		wrong("a tagged field needs to be exported and to have a key")
	}
	if enum := sf.Tag.Get("enum"); enum != "" {
		f.enum = strings.Split(enum, ",")
	}
	literal := func(text string) reflect.Value {
		v, err := parseLiteral(text, &f)
		if err != nil {
			wrong(err.Error())
		}
		return v
	}
	if text, ok := sf.Tag.Lookup("default"); ok {
		f.fallback = literal(text)
	}
	if f.min != "" {
		f.low = literal(f.min)
	}
	if f.max != "" {
		f.high = literal(f.max)
	}
	return f, true
}

// parseLiteral reads a tag's value as the field's type.
func parseLiteral(text string, f *field) (reflect.Value, error) {
	v := reflect.New(f.typ).Elem()
	switch {
	case f.typ == durationType:
		d, err := time.ParseDuration(text)
		v.SetInt(int64(d))
		return v, err
	case f.typ == secretType:
		v.Set(reflect.ValueOf(keg.NewSecret(text)))
		return v, nil
	}
	switch f.typ.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		v.SetBool(b)
		return v, err
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		v.SetInt(n)
		return v, err
	case reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		v.SetFloat(n)
		return v, err
	case reflect.Slice:
		if f.typ.Elem().Kind() != reflect.String {
			return v, fmt.Errorf("a default of type %s is not supported", f.typ)
		}
		for part := range strings.SplitSeq(text, ",") {
			v.Set(reflect.Append(v, reflect.ValueOf(part).Convert(f.typ.Elem())))
		}
	default:
		return v, fmt.Errorf("a default of type %s is not supported", f.typ)
	}
	return v, nil
}

func names(all [][]field) []string {
	var names []string
	for _, fields := range all {
		for i := range fields {
			names = append(names, fields[i].name)
		}
	}
	return names
}
