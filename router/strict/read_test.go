package strict

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestDocumentsThatAreRefused(t *testing.T) {
	laughs := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 12; i++ {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	chain := "a0: &a0 [x]\n"
	for i := 1; i < 100; i++ {
		chain += fmt.Sprintf("a%d: &a%d [*a%d]\n", i, i, i-1)
	}
	for _, c := range []struct{ says, text, want string }{
		{"nothing", " \n", "f: is empty"},
		{"null", "~", "f: is empty"},
		{"larger than the limit", strings.Repeat("#", maxBytes+1), "f: is larger than 8 MiB"},
		{"not UTF-8", "a: b\nc: \xff", "f:2:4: is not UTF-8"},
		{"a billion laughs", laughs, "f:1:1: holds more than 2097152 values"},
		{"an alias of itself", "a: &a [*a]", "f:1:8: the alias *a stands inside of what it names"},
		{"an alias of itself, further in", "a: &a {b: [{c: *a}]}", "f:1:16: the alias *a stands inside of what it names"},
		{"too deep", strings.Repeat("[", 100) + strings.Repeat("]", 100), "f:1:65: is nested deeper than 64 levels"},
		{"too deep, in YAML", "x: " + strings.Repeat("[", 100) + "a" + strings.Repeat("]", 100), "f:1:67: is nested deeper than 64 levels"},
		{"far too deep", strings.Repeat("[", 1_000_000), "is no YAML"},
		{"too deep by aliases", chain, "is nested deeper than 64 levels where an alias repeats it"},
		{"merge keys", "a: &a {b: c}\nd: {<<: *a}", "f:2:5: merge keys (<<) are not read here: use `defaults`, or an alias for a whole value"},
		{"keys that are no text", "{[a]: b}", "f:1:2: a key must be text"},
		{"tags", "a: !secret b", "f:1:4: the tag !secret is not read here"},
		{"binary", "a: !!binary aGk=", "f:1:4: the tag !!binary is not read here"},
		{"broken JSON", `{"a": 1,, "b"}`, "f: is no YAML: did not find expected node content"},
	} {
		t.Run(c.says, func(t *testing.T) {
			began := time.Now()
			_, err := Read("f", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %.300v\nwant %s", err, c.want)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestDocumentsThatAreRead(t *testing.T) {
	for says, text := range map[string]string{
		"a byte order mark":         "\xEF\xBB\xBFa: b",
		"an end mark":               "a: b\n...\n",
		"a begin mark":              "---\na: b\n",
		"an alias":                  "x: &x b\na: *x",
		"a flow mapping":            "{a: b}",
		"JSON":                      "\n\t{\"a\" : \"b\"}\r\n",
		"JSON with escapes":         `{"\u0061":"\u0062"}`,
		"Windows' line ends":        "x: y\r\na: b\r\n",
		"a known tag":               "a: !!str b",
		"JSON with all its grammar": `{"x":[1,-2.5e+3,true,false,null,"\ud83d\ude00\"\\\/",{},[]],"a":"b"}`,
	} {
		p, err := Read("f", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", says, err)
			continue
		}
		if text, _ := NewDecoder("f", Options{}).Text(p.Member("a")); text.Value != "b" {
			t.Errorf("%s: %q", says, text.Value)
		}
	}
}

func TestYAMLAndJSONGiveTheSamePlaces(t *testing.T) {
	text := "{\"a\": [1, \"ä\", {\"b\": null}],\n  \"c\": {\"d\": true}}"
	asJSON, err := parseJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := parse([]byte(text + "\n#")) // a comment is no JSON
	if err != nil {
		t.Fatal(err)
	}
	var places func(p *Place) string
	places = func(p *Place) string {
		s := fmt.Sprintf("%s@%d:%d ", p.Path(), p.at.Line, p.at.Column)
		for i, child := range p.node.Content {
			switch {
			case p.IsList():
				item := p.item(i, child)
				s += places(&item)
			case i%2 == 1:
				m := p.member(p.node.Content[i-1], child)
				s += fmt.Sprintf("key@%d:%d ", m.key.Line, m.key.Column) + places(&m)
			}
		}
		return s
	}
	if a, b := places(root(asJSON)), places(root(asYAML)); a != b {
		t.Errorf("JSON %s\nYAML %s", a, b)
	}
}

func TestTheErrorIsErrors(t *testing.T) {
	_, err := Read("f", nil)
	var all Errors
	var one *Error
	if !errors.As(err, &all) || !errors.As(err, &one) || one.File != "f" {
		t.Errorf("%T", err)
	}
}

func TestErrorsAreOrderedOnceAndBounded(t *testing.T) {
	var all Errors
	for i := range 250 {
		all = append(all, &Error{File: "f", Line: 300 - i, Column: 1, Problem: "x"}, &Error{File: "f", Line: 300 - i, Column: 1, Problem: "x"})
	}
	tidy := all.tidy()
	if len(tidy) != maxErrors+1 || tidy[0].Line != 51 || tidy[1].Line != 52 || tidy[maxErrors].Problem != "and 150 more" {
		t.Errorf("%d errors: %v … %v", len(tidy), tidy[0], tidy[len(tidy)-1])
	}
}
