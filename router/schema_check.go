package router

import (
	"reflect"
	"runtime"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// checker checks data by one schema. The validator has no bound of its own: a
// schema of ten lines can look at one value 2^64 times. So its work is counted,
// by a compiled schema for each goroutine that checks at a time.
type checker struct {
	compile func() (*counted, error)
	idle    chan *counted
}

// counted is a compiled schema whose work is counted. It is for one goroutine.
type counted struct {
	schema *jsonschema.Schema
	cost   int
}

// Bounds of what a check costs: at the limit it has taken some tens to a few
// hundred milliseconds. Prices do not depend on the machine or on its load.
const (
	maxCheck    = 150_000 // schemas asked about a value, mostly
	partsACheck = 2       // members or items that cost as much as asking
	bytesACheck = 256     // bytes of text
	bytesAMatch = 32      // bytes that a regular expression goes through
)

// tooDear is what a check that has cost too much panics with.
type tooDear struct{}

func (c *counted) spend(cost int) {
	if c.cost += cost; c.cost > maxCheck {
		panic(tooDear{})
	}
}

// newChecker compiles a schema once, to see whether it can be.
func newChecker(compile func() (*counted, error)) (*checker, error) {
	first, err := compile()
	if err != nil {
		return nil, err
	}
	c := &checker{compile: compile, idle: make(chan *counted, runtime.GOMAXPROCS(0))}
	c.idle <- first
	return c, nil
}

// check returns the worst that is wrong with a value, or nil.
func (c *checker) check(tree any) *flaw {
	var s *counted
	select {
	case s = <-c.idle:
	default:
		var err error
		if s, err = c.compile(); err != nil { // it has compiled before
			return &flaw{problem: "the schema cannot be had: " + err.Error(), hidden: "the schema cannot be had"}
		}
	}
	f := s.check(tree)
	select {
	case c.idle <- s:
	default:
	}
	return f
}

func (c *counted) check(tree any) (f *flaw) {
	c.cost = 0
	defer func() {
		switch p := recover(); p.(type) {
		case nil:
		case tooDear:
			const dear = "the data is too large for its schema to be checked"
			f = &flaw{problem: dear, hidden: dear}
		default:
			panic(p)
		}
	}()
	err := c.schema.Validate(tree)
	if err == nil {
		return nil
	}
	return worst(err)
}

// count makes every part of a schema count its work. The format of a part is
// asked before the part goes down into a value, which makes it the place.
func (c *counted) count(s *jsonschema.Schema, seen map[*jsonschema.Schema]bool) {
	if s == nil || seen[s] {
		return
	}
	seen[s] = true
	own := s.Format
	format := &jsonschema.Format{Validate: func(v any) error {
		cost := 1
		switch v := v.(type) {
		case string:
			cost += len(v) / bytesACheck
		case []any:
			cost += len(v) / partsACheck
		case map[string]any:
			cost += len(v) / partsACheck
		}
		c.spend(cost)
		if own != nil {
			return own.Validate(v)
		}
		return nil
	}}
	if own != nil {
		format.Name = own.Name
	}
	s.Format = format
	fields := reflect.ValueOf(s).Elem()
	for i := range fields.NumField() {
		if fields.Type().Field(i).IsExported() {
			c.countIn(fields.Field(i), seen)
		}
	}
}

// countIn looks for schemas in a field of one.
func (c *counted) countIn(v reflect.Value, seen map[*jsonschema.Schema]bool) {
	if v.Type() == reflect.TypeFor[*jsonschema.Schema]() {
		c.count(v.Interface().(*jsonschema.Schema), seen)
		return
	}
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			c.countIn(v.Elem(), seen)
		}
	case reflect.Slice:
		for i := range v.Len() {
			c.countIn(v.Index(i), seen)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			c.countIn(it.Value(), seen)
		}
	}
}

// countedRegexp counts what a regular expression of a schema goes through.
type countedRegexp struct {
	jsonschema.Regexp
	counted *counted
}

func (r *countedRegexp) MatchString(text string) bool {
	r.counted.spend(1 + len(text)/bytesAMatch)
	return r.Regexp.MatchString(text)
}
