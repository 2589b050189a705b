package router

import (
	"cmp"
	"regexp"
	"strings"
	"testing"

	"github.com/kong/keg/router/strict"
)

// TestKongCanReadTheSchema keeps to what lua-resty-ljsonschema knows and to
// what its generated code and OpenResty's PCRE take.
func TestKongCanReadTheSchema(t *testing.T) {
	keywords := map[string]bool{
		"$schema": true, "$ref": true, "definitions": true, "description": true, "type": true, "properties": true, "patternProperties": true,
		"additionalProperties": true, "required": true, "items": true, "minItems": true, "minLength": true, "minProperties": true,
		"minimum": true, "maximum": true, "pattern": true, "enum": true, "allOf": true, "anyOf": true, "not": true,
	}
	definitions := JSONSchema(known)["definitions"].(strict.Schema)
	pattern := func(p string) {
		if strings.ContainsAny(p, "%'\"") || strings.Contains(p, "]]") {
			t.Errorf("the pattern %s breaks the code that is generated from it", p)
		}
		if _, err := regexp.Compile(p); err != nil {
			t.Error(err)
		}
	}
	var schema func(path string, v any)
	each := func(path string, m any) {
		for name, v := range m.(strict.Schema) {
			schema(path+"/"+name, v)
		}
	}
	schema = func(path string, v any) {
		s, ok := v.(strict.Schema)
		if !ok {
			t.Errorf("%s is no schema: %v", path, v)
			return
		}
		if ref, ok := s["$ref"].(string); ok {
			if len(s) > 1 {
				t.Errorf("%s: what stands beside $ref is ignored", path)
			}
			if definitions[strings.TrimPrefix(ref, "#/definitions/")] == nil {
				t.Errorf("%s: %s leads nowhere", path, ref)
			}
		}
		if down, after := goesDownBefore(s); after != "" {
			t.Errorf("%s: %s leaves Kong's validator at the type of a part, and %s judges by it", path, down, after)
		}
		for keyword, v := range s {
			if !keywords[keyword] {
				t.Errorf("%s: the keyword %s is not known to Kong", path, keyword)
			}
			switch keyword {
			case "properties", "definitions":
				each(path+"/"+keyword, v)
			case "patternProperties":
				each(path+"/"+keyword, v)
				for p := range v.(strict.Schema) {
					pattern(p)
				}
			case "pattern":
				pattern(v.(string))
			case "items", "not":
				schema(path+"/"+keyword, v)
			case "additionalProperties":
				if v != false {
					schema(path+"/"+keyword, v)
				}
			case "allOf", "anyOf":
				for _, one := range v.([]any) {
					schema(path+"/"+keyword, one)
				}
			case "required", "enum":
				if len(v.([]any)) == 0 {
					t.Errorf("%s: %s must not be empty", path, keyword)
				}
			}
		}
	}
	schema("", JSONSchema(known))
}

// goesDownBefore names a keyword that goes down into a value and one for values
// of another type that lua-resty-ljsonschema asks after it. It then takes the
// type of the part for the type of the value: {"file": "/f"} for text, which it
// cannot measure (1.2.0, in Kong 3.9, fails; 1.1.6 finds it too short).
func goesDownBefore(s strict.Schema) (down, after string) {
	order := [][]string{ // by type, as it asks them
		{"minProperties", "properties", "patternProperties", "additionalProperties"},
		{"minItems", "items"},
		{"minLength", "pattern"},
		{"minimum", "maximum"},
	}
	goesDown := map[string]bool{"properties": true, "patternProperties": true, "additionalProperties": true, "items": true}
	for _, keywords := range order {
		found := ""
		for _, keyword := range keywords {
			if v, ok := s[keyword]; ok && v != false {
				if down != "" {
					return down, keyword
				}
				if goesDown[keyword] {
					found = keyword
				}
			}
		}
		down = cmp.Or(down, found)
	}
	return "", ""
}

func TestKeywordsThatGoDownBeforeOthers(t *testing.T) {
	for name, c := range map[string]struct {
		schema strict.Schema
		wrong  bool
	}{
		"an object's alone":                  {strict.Schema{"properties": 1, "additionalProperties": false, "minProperties": 1}, false},
		"a list's alone":                     {strict.Schema{"items": 1, "minItems": 1}, false},
		"text's and numbers' beside nothing": {strict.Schema{"minLength": 1, "pattern": "", "minimum": 1}, false},
		"a closed object and text":           {strict.Schema{"additionalProperties": false, "minLength": 1}, false},
		"an object's, then a list's":         {strict.Schema{"properties": 1, "minItems": 1}, true},
		"an object's, then text's":           {strict.Schema{"additionalProperties": 1, "pattern": ""}, true},
		"an object's, then a number's":       {strict.Schema{"patternProperties": 1, "maximum": 1}, true},
		"a list's, then text's":              {strict.Schema{"items": 1, "minLength": 1}, true},
		"a list's in allOf, then text's":     {strict.Schema{"allOf": []any{strict.Schema{"items": 1}}, "minLength": 1}, false},
	} {
		if _, after := goesDownBefore(c.schema); (after != "") != c.wrong {
			t.Errorf("%s: %q", name, after)
		}
	}
}
