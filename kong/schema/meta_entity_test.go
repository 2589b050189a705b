package schema_test

import "strings"

// Kong's entity checks: those that take a list of fields, and what the
// conditional ones take. A match has the attributes that validate a value, and
// three more.
var (
	listChecks        = []string{"at_least_one_of", "only_one_of", "distinct", "mutually_required", "mutually_exclusive"}
	conditionalChecks = map[string]map[string]func(any) bool{
		"conditional": {"if_field": isString, "if_match": isMatch, "then_field": isString, "then_match": isMatch, "then_err": isString},
		"conditional_at_least_one_of": {
			"if_field": isString, "if_match": isMatch, "then_at_least_one_of": isStrings, "then_err": isString,
			"else_match": isMatch, "else_then_at_least_one_of": isStrings, "else_then_err": isString,
		},
	}
	matchAttributes = []string{
		"required", "elements", "keys", "values", "between", "eq", "ne", "gt", "len_eq", "len_min", "len_max", "match", "not_match",
		"match_all", "match_none", "match_any", "starts_with", "one_of", "not_one_of", "contains", "is_regex", "timestamp", "uuid",
	}
)

func isStrings(v any) bool {
	list, ok := v.([]any)
	for _, item := range list {
		ok = ok && isString(item)
	}
	return ok
}

func isMatch(v any) bool {
	match, ok := v.(map[string]any)
	for name, value := range match {
		check := attributes[name]
		ok = ok && strings.Contains(" "+strings.Join(matchAttributes, " ")+" ", " "+name+" ") && check != nil && check(value)
	}
	return ok
}

// entityChecks checks those of a record. That their fields exist, Kong's
// meta-schema asks at the top of a schema alone; a check of a field that is not
// there never holds, so it is asked of every record here.
func (c *checker) entityChecks(path string, record map[string]any) {
	checks, _ := record["entity_checks"].([]any)
	for _, v := range checks {
		check, ok := v.(map[string]any)
		if !ok || len(check) != 1 {
			c.problem(path, "an entity check has exactly one key")
			continue
		}
		for name, argument := range check {
			for _, field := range c.entityCheck(path, name, argument) {
				if !hasField(record, field) {
					c.problem(path, "the entity check %s: field not found: %s", name, field)
				}
			}
		}
	}
}

// entityCheck returns the fields that a check names.
func (c *checker) entityCheck(path, name string, argument any) (fields []string) {
	add := func(v any) {
		switch v := v.(type) {
		case string:
			fields = append(fields, v)
		case []any:
			for _, field := range v {
				text, _ := field.(string)
				fields = append(fields, text)
			}
		}
	}
	for _, known := range listChecks {
		if name == known {
			if !isStrings(argument) {
				c.problem(path, "the entity check %s takes a list of fields", name)
			}
			add(argument)
			return fields
		}
	}
	known := conditionalChecks[name]
	parts, ok := argument.(map[string]any)
	if known == nil || !ok {
		c.problem(path, "unknown entity check %s", name)
		return nil
	}
	for part, value := range parts {
		if check := known[part]; check == nil || !check(value) {
			c.problem(path, "the entity check %s: bad %s", name, part)
		}
		if strings.HasSuffix(part, "_field") || strings.HasSuffix(part, "_one_of") {
			add(value)
		}
	}
	return fields
}

func hasField(record map[string]any, path string) bool {
	head, rest, nested := strings.Cut(path, ".")
	list, _ := record["fields"].([]any)
	for _, item := range list {
		entry, _ := item.(map[string]any)
		if field, ok := entry[head].(map[string]any); ok {
			return !nested || hasField(field, rest)
		}
	}
	return false
}
