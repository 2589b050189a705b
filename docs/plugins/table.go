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
		t.rules = append(t.rules, "- "+inWords(rule, path)+"\n")
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
	parts := []string{f.Description}
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
	if f.LenMin != nil {
		parts = append(parts, fmt.Sprintf("At least %d long.", *f.LenMin))
	}
	if f.LenMax != nil {
		parts = append(parts, fmt.Sprintf("At most %d long.", *f.LenMax))
	}
	if f.Referenceable || rules.Referenceable {
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

// inWords is one of Kong's entity checks as a sentence. A rule that it has no
// words for is shown as it is.
func inWords(check map[string]any, path string) string {
	text, _ := json.Marshal(check)
	for rule, sentence := range map[string]string{
		"at_least_one_of": "At least one of %s is set.", "only_one_of": "Exactly one of %s is set.",
		"mutually_required": "%s are set together or not at all.", "mutually_exclusive": "At most one of %s is set.",
		"distinct": "%s differ.",
	} {
		names, err := json.Marshal(check[rule])
		var fields []string
		if err != nil || json.Unmarshal(names, &fields) != nil || len(fields) == 0 {
			continue
		}
		for i := range fields {
			fields[i] = "`" + path + fields[i] + "`"
		}
		return fmt.Sprintf(sentence, strings.Join(fields, ", "))
	}
	var c struct {
		Conditional struct {
			IfField   string         `json:"if_field"`
			ThenField string         `json:"then_field"`
			IfMatch   map[string]any `json:"if_match"`
			ThenMatch map[string]any `json:"then_match"`
		} `json:"conditional"`
	}
	if json.Unmarshal(text, &c) == nil && c.Conditional.IfField != "" {
		return fmt.Sprintf("Where `%s%s` is %s, `%s%s` is %s.", path, c.Conditional.IfField, matched(c.Conditional.IfMatch),
			path, c.Conditional.ThenField, matched(c.Conditional.ThenMatch))
	}
	return "`" + string(text) + "`"
}

// matched is what a value must be, by the rules of a conditional check.
func matched(rules map[string]any) string {
	var words []string
	for rule, value := range rules {
		switch rule {
		case "eq":
			words = append(words, fmt.Sprintf("`%v`", value))
		case "one_of":
			if values, ok := value.([]any); ok {
				words = append(words, "one of "+list(values))
			}
		case "required":
			words = append(words, "set")
		default:
			text, _ := json.Marshal(value)
			words = append(words, "`"+rule+" "+string(text)+"`")
		}
	}
	slices.Sort(words)
	return strings.Join(words, " and ")
}
