package router

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// noLoader refuses whatever a schema would have to be fetched from.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, errors.New("a schema is complete in itself: put what it refers to into its $defs")
}

// nowhere is where a schema stands, so that none of its references leads to a
// disk.
const nowhere = "schema:///"

// compileSchema compiles a schema whose work is counted.
func compileSchema(tree any) (*counted, error) {
	c := &counted{}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	compiler.UseLoader(noLoader{})
	compiler.UseRegexpEngine(func(text string) (jsonschema.Regexp, error) {
		compiled, err := boundedRegexp(text)
		if err != nil {
			return nil, err
		}
		return &countedRegexp{compiled, c}, nil
	})
	if err := compiler.AddResource(nowhere, tree); err != nil {
		return nil, err
	}
	schema, err := compiler.Compile(nowhere)
	if err != nil {
		return nil, err
	}
	c.schema = schema
	c.count(schema, map[*jsonschema.Schema]bool{})
	return c, nil
}

// boundedRegexp compiles a regular expression of the size that an operator may
// have.
func boundedRegexp(text string) (*regexp.Regexp, error) {
	if len(text) > maxRegex {
		return nil, fmt.Errorf("it is longer than %d bytes", maxRegex)
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil || len(program.Inst) > maxRegexProgram {
		return nil, fmt.Errorf("it compiles to more than %d instructions", maxRegexProgram)
	}
	return regexp.Compile(text)
}

// refused finds what a schema must not have, before it is compiled: more values
// than the bound, numbers that fill the memory, and references that the count of
// its work would not follow.
func refused(tree any) error {
	if pointer, wrong := unreasonable(tree); wrong {
		return fmt.Errorf("%s is a number of more than %d digits", pointer, maxDigits)
	}
	values := 0
	var visit func(v any) error
	visit = func(v any) error {
		if values++; values > maxSchemaValues {
			return fmt.Errorf("it holds more than %d values", maxSchemaValues)
		}
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				if err := visit(item); err != nil {
					return err
				}
			}
		case map[string]any:
			for name, item := range v {
				target, _ := item.(string)
				switch {
				case name == "$dynamicRef", name == "$dynamicAnchor", name == "$recursiveRef", name == "$recursiveAnchor":
					return fmt.Errorf("%s is not read here: use $ref", name)
				case name == "$ref" && strings.Contains(target, "//json-schema.org/"):
					return errors.New("a $ref must not lead to the schema of schemas")
				}
				if err := visit(item); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return visit(tree)
}

// schemaProblem is why a schema was refused, on one line.
func schemaProblem(err error) string {
	var invalid *jsonschema.SchemaValidationError
	if errors.As(err, &invalid) {
		f := worst(invalid.Err)
		return strings.TrimPrefix(f.pointer+" ", " ") + f.problem
	}
	var load *jsonschema.LoadURLError
	if errors.As(err, &load) {
		return fmt.Sprintf("it refers to %s, and nothing is fetched: put what it refers to into its $defs", cut(strings.TrimPrefix(load.URL, nowhere)))
	}
	return strings.ReplaceAll(cutTo(err.Error(), 3*maxRunes), nowhere, "")
}
