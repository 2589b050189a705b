package router

import (
	"cmp"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	wrong "github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// flaw is one thing wrong with data.
type flaw struct {
	pointer string // RFC 6901, cut short where it is long
	problem string // quotes the schema, and of the data no more than member names
	hidden  string // quotes nothing
}

// How much of a schema or of a pointer is shown.
const (
	maxPointer = 200 // bytes
	maxListed  = 5   // names or values
)

// worst chooses the flaw that lies deepest in the data, as that is mostly what
// an alternative that nearly fitted broke on, and rather not the type, which is
// what the others broke on; of several the first by name. The validator walks
// objects in no order.
func worst(err error) *flaw {
	var broken *jsonschema.ValidationError
	if !errors.As(err, &broken) {
		return &flaw{problem: "does not fit", hidden: "does not fit"}
	}
	var best *jsonschema.ValidationError
	var bestText string
	byType := func(e *jsonschema.ValidationError) int {
		if _, is := e.ErrorKind.(*wrong.Type); is {
			return 1
		}
		return 0
	}
	var visit func(e *jsonschema.ValidationError)
	visit = func(e *jsonschema.ValidationError) {
		if len(e.Causes) > 0 {
			for _, cause := range e.Causes {
				visit(cause)
			}
			return
		}
		if best != nil && len(e.InstanceLocation) < len(best.InstanceLocation) {
			return
		}
		text := problemOf(e.ErrorKind)
		if best == nil || len(e.InstanceLocation) > len(best.InstanceLocation) ||
			cmp.Or(byType(e)-byType(best), slices.Compare(e.InstanceLocation, best.InstanceLocation), cmp.Compare(text, bestText)) < 0 {
			best, bestText = e, text
		}
	}
	visit(broken)
	f := &flaw{pointer: pointer(best.InstanceLocation), problem: bestText, hidden: "does not fit"}
	if best.ErrorKind != nil && len(best.ErrorKind.KeywordPath()) > 0 {
		f.hidden = "does not fit the schema's " + best.ErrorKind.KeywordPath()[0]
	}
	return f
}

func pointer(tokens []string) string {
	var b strings.Builder
	for _, token := range tokens {
		b.WriteString("/" + escapedToken(token))
		if b.Len() > maxPointer {
			break
		}
	}
	return shortPointer(b.String())
}

func escapedToken(token string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
}

func shortPointer(pointer string) string {
	if len(pointer) <= maxPointer {
		return pointer
	}
	end := maxPointer
	for end > 0 && !utf8.RuneStart(pointer[end]) {
		end--
	}
	return pointer[:end] + "…"
}

// problemOf says what a value must be, in words that go on after its pointer.
func problemOf(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *wrong.Type:
		return fmt.Sprintf("must be of type %s, not %s", strings.Join(k.Want, " or "), k.Got)
	case *wrong.Required:
		return "needs " + named(k.Missing)
	case *wrong.Dependency:
		return fmt.Sprintf("needs %s where it has %s", named(k.Missing), quotedName(k.Prop))
	case *wrong.DependentRequired:
		return fmt.Sprintf("needs %s where it has %s", named(k.Missing), quotedName(k.Prop))
	case *wrong.AdditionalProperties:
		return "must not have " + named(k.Properties)
	case *wrong.AdditionalItems:
		return fmt.Sprintf("has %d items too many", k.Count)
	case *wrong.PropertyNames:
		return "must not have a member named " + quotedName(k.Property)
	case *wrong.Enum:
		return "must be one of " + valued(k.Want)
	case *wrong.Const:
		return "must be " + valued([]any{k.Want})
	case *wrong.Format:
		return "must be of the format " + cut(k.Want)
	case *wrong.Pattern:
		return "must match the pattern " + cut(k.Want)
	case *wrong.MinLength:
		return fmt.Sprintf("must have at least %d characters, not %d", k.Want, k.Got)
	case *wrong.MaxLength:
		return fmt.Sprintf("must have at most %d characters, not %d", k.Want, k.Got)
	case *wrong.MinItems:
		return fmt.Sprintf("must have at least %d items, not %d", k.Want, k.Got)
	case *wrong.MaxItems:
		return fmt.Sprintf("must have at most %d items, not %d", k.Want, k.Got)
	case *wrong.MinProperties:
		return fmt.Sprintf("must have at least %d members, not %d", k.Want, k.Got)
	case *wrong.MaxProperties:
		return fmt.Sprintf("must have at most %d members, not %d", k.Want, k.Got)
	case *wrong.Minimum:
		return "must be at least " + decimalText(k.Want)
	case *wrong.Maximum:
		return "must be at most " + decimalText(k.Want)
	case *wrong.ExclusiveMinimum:
		return "must be more than " + decimalText(k.Want)
	case *wrong.ExclusiveMaximum:
		return "must be less than " + decimalText(k.Want)
	case *wrong.MultipleOf:
		return "must be a multiple of " + decimalText(k.Want)
	case *wrong.UniqueItems:
		return fmt.Sprintf("must not have equal items: %d and %d are", k.Duplicates[0], k.Duplicates[1])
	case *wrong.FalseSchema:
		return "must not be there"
	case *wrong.Not:
		return "must not fit the schema of `not`"
	case *wrong.OneOf:
		return "must fit one schema of `oneOf`, and fits several"
	}
	if k != nil && len(k.KeywordPath()) > 0 {
		return "does not fit the schema's " + k.KeywordPath()[0]
	}
	return "does not fit the schema"
}

// named lists members, the first few by name.
func named(names []string) string {
	names = slices.Sorted(slices.Values(names))
	var shown []string
	for _, name := range names[:min(len(names), maxListed)] {
		shown = append(shown, quotedName(name))
	}
	return listed(shown, len(names))
}

func quotedName(name string) string { return strconv.Quote(cut(name)) }

// valued lists values of a schema.
func valued(values []any) string {
	var shown []string
	for _, v := range values[:min(len(values), maxListed)] {
		w := jsonWriter{limit: maxPointer}
		if problem := w.value(v, 1); problem != "" {
			w.text = []byte("…")
		}
		shown = append(shown, cut(string(w.text)))
	}
	return listed(shown, len(values))
}

func listed(shown []string, of int) string {
	text := strings.Join(shown, ", ")
	if more := of - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func decimalText(n *big.Rat) string {
	if n.IsInt() {
		return cut(n.Num().String())
	}
	f, _ := n.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}
