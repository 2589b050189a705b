package keg_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kong/keg"
)

func TestAWholeEventIsValid(t *testing.T) {
	if err := whole().Validate(); err != nil {
		t.Error(err)
	}
	least := &keg.Event{ID: "1", Source: "payment-service", Type: "t"}
	if err := least.Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidateNamesTheAttributeAtFault(t *testing.T) {
	for name, test := range map[string]struct {
		spoil     func(*keg.Event)
		attribute string
	}{
		"no id":                      {func(e *keg.Event) { e.ID = "" }, "id"},
		"no source":                  {func(e *keg.Event) { e.Source = "" }, "source"},
		"no type":                    {func(e *keg.Event) { e.Type = "" }, "type"},
		"source is no URI reference": {func(e *keg.Event) { e.Source = "http://[::1" }, "source"},
		"dataschema is relative":     {func(e *keg.Event) { e.DataSchema = "order.json" }, "dataschema"},
		"dataschema is no URI":       {func(e *keg.Event) { e.DataSchema = "https://%zz" }, "dataschema"},
		"CR LF in the type":          {func(e *keg.Event) { e.Type = "a\r\nX-Forged: 1" }, "type"},
		"NUL in the subject":         {func(e *keg.Event) { e.Subject = "a\x00" }, "subject"},
		"a C1 control in the id":     {func(e *keg.Event) { e.ID = "a\u0085" }, "id"},
		"id is not UTF-8":            {func(e *keg.Event) { e.ID = "a\xff" }, "id"},
		"a noncharacter":             {func(e *keg.Event) { e.Subject = "\uffff" }, "subject"},
		"a noncharacter of the BMP":  {func(e *keg.Event) { e.Subject = "\ufdd0" }, "subject"},
		"a year beyond RFC 3339":     {func(e *keg.Event) { e.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "time"},
		"upper case in a name":       {func(e *keg.Event) { e.Extensions["Tenant"] = "x" }, "Tenant"},
		"a dash in a name":           {func(e *keg.Event) { e.Extensions["a-b"] = "x" }, "a-b"},
		"an extension named data":    {func(e *keg.Event) { e.Extensions["data"] = "x" }, "data"},
		"an extension named id":      {func(e *keg.Event) { e.Extensions["id"] = "x" }, "id"},
		"a name of 65 characters":    {func(e *keg.Event) { e.Extensions[strings.Repeat("a", 65)] = "x" }, strings.Repeat("a", 65)},
		"LF in an extension":         {func(e *keg.Event) { e.Extensions["tenant"] = "a\nb" }, "tenant"},
		"LF in the content type":     {func(e *keg.Event) { e.DataContentType = "text/plain\n" }, "datacontenttype"},
	} {
		t.Run(name, func(t *testing.T) {
			e := whole()
			test.spoil(e)
			err := e.Validate()
			var invalid *keg.InvalidError
			if !errors.As(err, &invalid) || invalid.Attribute != test.attribute || invalid.Problem == "" {
				t.Fatalf("got %v", err)
			}
			if strings.ContainsAny(err.Error(), "\r\x00") {
				t.Errorf("the message repeats what must reach no log: %q", err)
			}
		})
	}
}

func TestValidateSaysAllAtOnce(t *testing.T) {
	err := (&keg.Event{Extensions: map[string]string{"A": "", "B": ""}}).Validate()
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 5 {
		t.Errorf("want id, source, type, A and B, got %q", lines)
	}
}

func TestUnusualTextIsFine(t *testing.T) {
	e := whole()
	e.ID, e.Subject = "ein \"Ding\" für 5 €, 100% 😀", "�"
	if err := e.Validate(); err != nil {
		t.Error(err)
	}
}
