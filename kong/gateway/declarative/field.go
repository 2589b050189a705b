package declarative

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Field is one field of a Kong schema, as plugins write them in JSON: a type
// and the rules that its values keep.
type Field struct {
	Type        string  `json:"type"`
	Description string  `json:"description"`
	Required    *bool   `json:"required"` // see mandatory
	Default     any     `json:"default"`
	Elements    *Field  `json:"elements"` // of arrays and sets
	Keys        *Field  `json:"keys"`     // of maps
	Values      *Field  `json:"values"`
	Fields      []Named `json:"fields"` // of records
	// EntityChecks hold between the fields of a record.
	EntityChecks []map[string]json.RawMessage `json:"entity_checks"`

	Eq         wanted    `json:"eq"`
	Ne         wanted    `json:"ne"`
	OneOf      []any     `json:"one_of"`
	NotOneOf   []any     `json:"not_one_of"`
	Gt         *float64  `json:"gt"`
	Between    []float64 `json:"between"`
	LenEq      *int      `json:"len_eq"`
	LenMin     *int      `json:"len_min"`
	LenMax     *int      `json:"len_max"`
	Match      string    `json:"match"` // a Lua pattern
	NotMatch   string    `json:"not_match"`
	MatchAny   *Patterns `json:"match_any"`
	MatchAll   []Pattern `json:"match_all"`
	MatchNone  []Pattern `json:"match_none"`
	StartsWith string    `json:"starts_with"`
	Contains   any       `json:"contains"`
	UUID       bool      `json:"uuid"`
	IsRegex    bool      `json:"is_regex"`
	Timestamp  bool      `json:"timestamp"`
	// Err is what a broken rule is answered with, in place of Kong's words.
	Err string `json:"err"`
	// Referenceable: the value may stand in a vault, {vault://env/NAME}.
	Referenceable bool `json:"referenceable"`
	// These say what a database does with a value; without one they are no more
	// than accepted.
	Unique    bool `json:"unique"`
	Encrypted bool `json:"encrypted"`
	Nilable   bool `json:"nilable"`

	JSONSchema *struct {
		Inline any `json:"inline"`
	} `json:"json_schema"`
	compiled *jsonschema.Schema
	// custom is a rule that Kong has as a function: what is wrong with a text, or "".
	custom func(string) string
}

// Patterns is a choice of Lua patterns with the error for none of them.
type Patterns struct {
	Patterns []string `json:"patterns"`
	Err      string   `json:"err"`
}

// Pattern is one Lua pattern with the error for breaking it.
type Pattern struct {
	Pattern string `json:"pattern"`
	Err     string `json:"err"`
}

// Named is a record's field under its name; in JSON an object of one member.
type Named struct {
	Name string
	*Field
}

// UnmarshalJSON refuses attributes that are not a Kong schema's.
func (n *Named) UnmarshalJSON(text []byte) error {
	var entry map[string]json.RawMessage
	if err := json.Unmarshal(text, &entry); err != nil {
		return err
	}
	if len(entry) != 1 {
		return fmt.Errorf("a field is an object of one member, its name; this one has %d", len(entry))
	}
	for name, definition := range entry {
		n.Name, n.Field = name, new(Field)
		decoder := json.NewDecoder(bytes.NewReader(definition))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(n.Field); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// MarshalJSON writes the field as it was read.
func (n Named) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]*Field{n.Name: n.Field})
}

var fieldTypes = []string{"string", "number", "integer", "boolean", "array", "set", "map", "record", "json"}

// ParseSchema reads the schema that a plugin server's query command printed,
// and reports everything that Kong's meta-schema would refuse.
func ParseSchema(text []byte) (*Schema, error) {
	var written struct {
		Name         string                       `json:"name"`
		Fields       []Named                      `json:"fields"`
		EntityChecks []map[string]json.RawMessage `json:"entity_checks"`
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&written); err != nil {
		return nil, fmt.Errorf("the plugin's schema is none of Kong's: %w", err)
	}
	s := &Schema{Name: written.Name}
	var errs []error
	for _, f := range written.Fields {
		switch f.Name {
		case "config":
			s.Config = f.Field
		case "protocols", "consumer", "route", "service": // typedefs; nothing to check here
		default:
			errs = append(errs, fmt.Errorf("%s: a plugin's schema has no such field", f.Name))
		}
	}
	if s.Config == nil {
		return nil, errors.Join(append(errs, errors.New("the plugin's schema has no field \"config\""))...)
	}
	if s.Config.Type != "record" {
		errs = append(errs, errors.New("config: must be a record"))
	}
	s.Config.requireRecords()
	s.Config.prepare("config", &errs)
	return s, errors.Join(errs...)
}

// mandatory reports whether the field must have a value.
func (f *Field) mandatory() bool { return f.Required != nil && *f.Required }

// requireRecords makes a record mandatory unless it says otherwise, and those right
// within it, as Kong does with a plugin's config, so that they are always there.
func (f *Field) requireRecords() {
	if f.Required == nil {
		f.Required = new(bool)
		*f.Required = true
	}
	for _, member := range f.Fields {
		if member.Type == "record" {
			member.requireRecords()
		}
	}
}

// Schema is what a plugin says of its configuration.
type Schema struct {
	Name   string
	Config *Field
}

// prepare checks the definition below path and compiles what it holds.
func (f *Field) prepare(path string, errs *[]error) {
	fail := func(format string, args ...any) {
		*errs = append(*errs, fmt.Errorf(path+": "+format, args...))
	}
	if !slices.Contains(fieldTypes, f.Type) {
		fail("%q is no type; the types are %s", f.Type, strings.Join(fieldTypes, ", "))
		return
	}
	if n := len(f.Description); n > 0 && (n < 10 || n > 500) {
		fail("a description has 10 to 500 characters, this one %d", n)
	}
	if len(f.Between) > 0 && len(f.Between) != 2 {
		fail("between takes two numbers")
	}
	for _, pattern := range f.patterns() {
		if _, err := luaPattern(pattern); err != nil {
			fail("%v", err)
		}
	}
	switch f.Type {
	case "array", "set":
		f.part(f.Elements, path, "elements", errs)
	case "map":
		f.part(f.Keys, path, "keys", errs)
		f.part(f.Values, path, "values", errs)
	case "record":
		for _, member := range f.Fields {
			member.prepare(path+"."+member.Name, errs)
		}
	case "json":
		if f.JSONSchema == nil || f.JSONSchema.Inline == nil {
			fail("a json field needs a json_schema with an inline schema")
			return
		}
		compiled, err := compileJSONSchema(f.JSONSchema.Inline)
		if err != nil {
			fail("its JSON Schema is not valid draft 4: %v", err)
		}
		f.compiled = compiled
	}
	if f.Default != nil && len(*errs) == 0 {
		if problem := f.check(f.Default); problem != nil {
			fail("its default is refused by its own rules: %v", prettyLines(problem))
		}
	}
}

func (f *Field) part(part *Field, path, name string, errs *[]error) {
	if part == nil {
		*errs = append(*errs, fmt.Errorf("%s: a %s needs %s", path, f.Type, name))
		return
	}
	part.Required = new(bool)
	*part.Required = true
	part.prepare(path+"."+name, errs)
}

func (f *Field) patterns() []string {
	var all []string
	for _, p := range []string{f.Match, f.NotMatch} {
		if p != "" {
			all = append(all, p)
		}
	}
	if f.MatchAny != nil {
		all = append(all, f.MatchAny.Patterns...)
	}
	for _, p := range slices.Concat(f.MatchAll, f.MatchNone) {
		all = append(all, p.Pattern)
	}
	return all
}
