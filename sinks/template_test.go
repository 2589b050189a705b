package sinks

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kong/keg"
)

func TestTemplatesThatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"orders-{type":      `a "{" without its "}"`,
		"orders-type}":      `a "}" that closes no place`,
		"{type}}":           `a "}" that closes no place`,
		"{}":                "names no attribute",
		"{Type}":            "names no attribute",
		"{data.order}":      "names no attribute",
		"{data}":            "names no attribute",
		"{ type }":          "names no attribute",
		"{type{subject}}":   "names no attribute",
		"\n{type\r\nX: y}":  "names no attribute",
		"{s3cr3t-password}": "names no attribute",
	} {
		t.Run(text, func(t *testing.T) {
			_, err := parseTemplate(text)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("error %v, want %q in it", err, want)
			}
			if strings.ContainsAny(err.Error(), "\r\n") || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("the error repeats the text: %v", err)
			}
		})
	}
}

func TestTemplatesFillPlacesFromTheEvent(t *testing.T) {
	e := &keg.Event{
		ID: "1", Source: "/s", Type: "order.created", Subject: "{id}",
		Time:       time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC),
		Extensions: map[string]string{"tenant": "blue", "empty": "", "evil": "x\r\ny"},
	}
	refuseLines := func(value string) error {
		if strings.ContainsAny(value, "\r\n") {
			return errors.New("has a line break")
		}
		return nil
	}
	tests := map[string]struct {
		text, want, problem string
		limit               int
	}{
		"no place":                           {text: "orders", want: "orders"},
		"nothing":                            {text: "", want: ""},
		"a place alone":                      {text: "{type}", want: "order.created"},
		"places and text":                    {text: "a-{tenant}-{id}{source}", want: "a-blue-1/s"},
		"a time":                             {text: "{time}", want: "2026-01-31T12:00:00Z"},
		"the version":                        {text: "v{specversion}", want: "v1.0"},
		"what an event brings is not a text": {text: "{subject}", want: "{id}"},
		"an absent attribute":                {text: "a-{colour}", problem: `has no attribute "colour"`},
		"an empty attribute":                 {text: "a-{empty}", problem: `has no attribute "empty"`},
		"a value that is refused":            {text: "a-{evil}", problem: `the event's "evil" has a line break`},
		"longer than the limit":              {text: "{type}{type}", limit: 20, problem: "more than 20 bytes"},
		"as long as the limit":               {text: "{tenant}{tenant}", limit: 8, want: "blueblue"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			template, err := parseTemplate(test.text)
			if err != nil {
				t.Fatal(err)
			}
			limit := test.limit
			if limit == 0 {
				limit = 100
			}
			got, err := template.expand(e, limit, refuseLines)
			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Fatalf("%q, error %v, want %q in it", got, err, test.problem)
				}
				if strings.ContainsAny(err.Error(), "\r\n") {
					t.Errorf("the error repeats the value: %q", err)
				}
				return
			}
			if err != nil || got != test.want {
				t.Errorf("%q, %v, want %q", got, err, test.want)
			}
		})
	}
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"orders", "{type}", "a{id}b{tenant}", "{", "}", "{{}}", "{data.x}"} {
		f.Add(seed, "value")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		template, err := parseTemplate(text)
		if err != nil {
			return
		}
		got, err := template.expand(&keg.Event{ID: value, Type: value, Extensions: map[string]string{"tenant": value}}, 100, nil)
		if err == nil && !template.isConstant() && len(got) > 100 {
			t.Errorf("%q comes to %d bytes", text, len(got))
		}
		if template.isConstant() && got != text {
			t.Errorf("%q became %q without a place", text, got)
		}
	})
}
