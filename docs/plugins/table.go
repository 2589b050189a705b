package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/kong/keg/kong/schema"
)

// table is one row for each field of a plugin's config, records opened, and below
// it the rules that tie fields together.
func table(p *schema.Plugin) string {
	var t writer
	t.WriteString("| field under `config` | type | default | meaning |\n|---|---|---|---|\n")
	for _, top := range p.Fields {
		if top.Name == "config" {
			t.record(top.Field, "")
		}
	}
	if len(t.rules) > 0 {
		t.WriteString("\n" + strings.Join(t.rules, ""))
	}
	return t.String()
}

type writer struct {
	strings.Builder
	rules []string
}

// record writes the fields of a record at a path: "", "authentication.",
// "bootstrap_servers[].".
func (t *writer) record(r *schema.Field, path string) {
	if r.Fields == nil {
		return
	}
	for _, f := range *r.Fields {
		t.field(f.Field, path+f.Name)
	}
	for _, rule := range r.EntityChecks {
		text, err := json.Marshal(rule)
		if err != nil {
			panic(err) // Kong is told the same JSON
		}
		t.rules = append(t.rules, "- "+inWords(text, path)+"\n")
	}
}

func (t *writer) field(f *schema.Field, path string) {
	fmt.Fprintf(t, "| `%s` | %s | %s | %s |\n", path, cell(kind(f)), cell(fallback(f)), cell(meaning(f)))
	switch {
	case f.Type == "record":
		t.record(f, path+".")
	case f.Elements != nil && f.Elements.Type == "record":
		t.record(f.Elements, path+"[].")
	case f.Values != nil && f.Values.Type == "record":
		t.record(f.Values, path+".NAME.")
	}
}

// cell keeps a text within its cell.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(text)
}

// prose keeps what a schema says from being read as Markdown.
func prose(text string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "<", `\<`, "`", "\\`").Replace(text)
}

func kind(f *schema.Field) string {
	switch {
	case f.Elements != nil:
		return f.Type + " of " + kind(f.Elements)
	case f.Values != nil:
		return "map of " + kind(f.Values)
	}
	return f.Type
}

func fallback(f *schema.Field) string {
	if f.Default == nil {
		if f.Required {
			return "required"
		}
		return ""
	}
	text, err := json.Marshal(f.Default)
	if err != nil {
		return fmt.Sprint(f.Default)
	}
	return "`" + string(text) + "`"
}

// meaning is the field's sentence, and the rules that a value keeps to.
func meaning(f *schema.Field) string {
	parts := []string{prose(f.Description)}
	rules := f
	switch {
	case f.Elements != nil:
		rules = f.Elements
	case f.Values != nil:
		rules = f.Values
	}
	if len(rules.OneOf) > 0 {
		parts = append(parts, "One of "+list(rules.OneOf)+".")
	}
	if len(rules.Between) == 2 {
		parts = append(parts, fmt.Sprintf("From %s to %s.", number(rules.Between[0]), number(rules.Between[1])))
	}
	if rules.GT != nil {
		parts = append(parts, "More than "+number(*rules.GT)+".")
	}
	if rules.StartsWith != "" {
		parts = append(parts, "Begins with `"+rules.StartsWith+"`.")
	}
	if rules.UUID {
		parts = append(parts, "A UUID.")
	}
	if f.Err != "" {
		return strings.Join(append(parts, "**Refused**: "+prose(f.Err)+"."), " ")
	}
	if f.LenMin != nil {
		parts = append(parts, fmt.Sprintf("At least %d long.", *f.LenMin))
	}
	if f.LenMax != nil {
		parts = append(parts, fmt.Sprintf("At most %d long.", *f.LenMax))
	}
	if (f.Referenceable || rules.Referenceable) && !strings.Contains(f.Description, "vault reference") {
		parts = append(parts, "May be a vault reference.")
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

func number(f float64) string { return fmt.Sprintf("%.15g", f) }

func list(values []any) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = fmt.Sprintf("`%v`", v)
	}
	return strings.Join(words, ", ")
}

// sentences are those of Kong's entity checks that name a list of fields.
var sentences = map[string]string{
	"at_least_one_of":    "At least one of %s is set.",
	"only_one_of":        "Exactly one of %s is set.",
	"mutually_required":  "%s are set together or not at all.",
	"mutually_exclusive": "At most one of %s is set.",
	"distinct":           "%s differ.",
}

// condition is what ties a field to another one's value.
type condition struct {
	IfField   string         `json:"if_field"`
	IfMatch   map[string]any `json:"if_match"`
	ThenField string         `json:"then_field"`
	ThenMatch map[string]any `json:"then_match"`
	ThenOneOf []string       `json:"then_at_least_one_of"`
}

// inWords is one of Kong's entity checks, {"name": argument}, as a sentence. A
// rule that it has no words for is shown as it is.
func inWords(check []byte, path string) string {
	var lists map[string][]string
	if json.Unmarshal(check, &lists) == nil {
		for rule, fields := range lists {
			if sentence := sentences[rule]; sentence != "" {
				return fmt.Sprintf(sentence, below(path, fields))
			}
		}
	}
	var conditions map[string]condition
	if json.Unmarshal(check, &conditions) == nil {
		for rule, c := range conditions {
			where := fmt.Sprintf("Where %s is %s, ", below(path, []string{c.IfField}), matched(c.IfMatch))
			switch rule {
			case "conditional":
				return where + fmt.Sprintf("%s is %s.", below(path, []string{c.ThenField}), matched(c.ThenMatch))
			case "conditional_at_least_one_of":
				return where + fmt.Sprintf("at least one of %s is set.", below(path, c.ThenOneOf))
			}
		}
	}
	return "`" + string(check) + "`"
}

func below(path string, fields []string) string {
	named := make([]any, len(fields))
	for i, field := range fields {
		named[i] = path + field
	}
	return list(named)
}

// matched is what a value must be, by the rules of a condition.
func matched(rules map[string]any) string {
	var words []string
	for rule, value := range rules {
		switch rule {
		case "eq":
			words = append(words, fmt.Sprintf("`%v`", value))
		case "one_of":
			if values, ok := value.([]any); ok && len(values) == 1 {
				words = append(words, list(values))
			} else if ok {
				words = append(words, "one of "+list(values))
			}
		case "required": // every match is
		default:
			text, _ := json.Marshal(value)
			words = append(words, "`"+rule+" "+string(text)+"`")
		}
	}
	if len(words) == 0 {
		return "set"
	}
	slices.Sort(words)
	return strings.Join(words, " and ")
}
