package declarative

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// compileJSONSchema compiles an inline schema as draft 4, Kong's only one. It
// loads nothing: a $ref that leaves the document is an error.
func compileJSONSchema(inline any) (*jsonschema.Schema, error) {
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft4)
	compiler.UseLoader(noLoader{})
	const location = "inline.json"
	if err := compiler.AddResource(location, inline); err != nil {
		return nil, err
	}
	return compiler.Compile(location)
}

type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, errors.New("Kong loads no schema from elsewhere: " + url)
}

func (f *Field) checkJSON(value any) any {
	err := f.compiled.Validate(value)
	var invalid *jsonschema.ValidationError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid):
		return jsonProblem(invalid)
	default:
		return err.Error()
	}
}

// jsonProblem words the first problem as Kong's validator does: the way down
// to the value, then what is wrong with it.
func jsonProblem(e *jsonschema.ValidationError) string {
	for len(e.Causes) > 0 && !isChoice(e.ErrorKind) {
		first := slices.MinFunc(e.Causes, func(a, b *jsonschema.ValidationError) int {
			switch last, first := isCompound(a.ErrorKind), isCompound(b.ErrorKind); { // Kong asks these last
			case last && !first:
				return 1
			case first && !last:
				return -1
			}
			return comparePlaces(a.InstanceLocation, b.InstanceLocation)
		})
		e = first
	}
	var b strings.Builder
	for _, step := range e.InstanceLocation {
		if i, err := strconv.Atoi(step); err == nil {
			fmt.Fprintf(&b, "failed to validate item %d: ", i+1)
		} else {
			fmt.Fprintf(&b, "property %s validation failed: ", step)
		}
	}
	b.WriteString(kindText(e.ErrorKind))
	return b.String()
}

// comparePlaces orders problems by where they are, so that the same value has
// the same error each time.
func comparePlaces(a, b []string) int {
	return slices.CompareFunc(a, b, func(x, y string) int {
		i, errX := strconv.Atoi(x)
		j, errY := strconv.Atoi(y)
		if errX == nil && errY == nil {
			return i - j
		}
		return strings.Compare(x, y)
	})
}

func isCompound(k jsonschema.ErrorKind) bool {
	_, all := k.(*kind.AllOf)
	return all || isChoice(k)
}

func isChoice(k jsonschema.ErrorKind) bool {
	switch k.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Not:
		return true
	}
	return false
}

func kindText(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Required:
		return "property " + k.Missing[0] + " is required"
	case *kind.AdditionalProperties:
		return "additional properties forbidden, found " + k.Properties[0]
	case *kind.Type:
		return "wrong type: expected " + luaTypes(k.Want) + ", got " + luaType(k.Got)
	case *kind.Enum:
		return "matches non of the enum values" // Kong's own spelling
	case *kind.AnyOf:
		return "object matches none of the alternatives"
	case *kind.OneOf:
		if len(k.Subschemas) > 1 {
			return fmt.Sprintf("value should match only one schema, but matches both schemas %d and %d", k.Subschemas[0]+1, k.Subschemas[1]+1)
		}
		return "value should match only one schema, but matches none"
	case *kind.Not:
		return "value wasn't supposed to match schema"
	case *kind.MinLength:
		return fmt.Sprintf("string too short, expected at least %d, got %d", k.Want, k.Got)
	case *kind.MaxLength:
		return fmt.Sprintf("string too long, expected at most %d, got %d", k.Want, k.Got)
	case *kind.Pattern:
		return fmt.Sprintf("failed to match pattern %q with %q", k.Want, k.Got)
	case *kind.MinItems:
		return fmt.Sprintf("expect array to have at least %d items", k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("expect array to have at most %d items", k.Want)
	case *kind.MinProperties:
		return fmt.Sprintf("expect object to have at least %d properties", k.Want)
	case *kind.MaxProperties:
		return fmt.Sprintf("expect object to have at most %d properties", k.Want)
	case *kind.UniqueItems:
		return fmt.Sprintf("expected unique items but items %d and %d are equal", k.Duplicates[1]+1, k.Duplicates[0]+1)
	case *kind.Minimum:
		want, _ := k.Want.Float64()
		got, _ := k.Got.Float64()
		return "expected " + number(got) + " to be greater than " + number(want)
	case *kind.Maximum:
		want, _ := k.Want.Float64()
		got, _ := k.Got.Float64()
		return "expected " + number(got) + " to be smaller than " + number(want)
	default:
		return strings.Join(k.KeywordPath(), ".") + " does not hold"
	}
}

func luaTypes(types []string) string {
	if len(types) == 1 {
		return types[0]
	}
	return "one of " + strings.Join(types, ", ")
}

// luaType is the name that Kong has for the type of a value: Lua's table is
// JSON's object and list.
func luaType(t string) string {
	if t == "object" || t == "array" {
		return "table"
	}
	return t
}
