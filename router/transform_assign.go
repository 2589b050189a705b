package router

import (
	"errors"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/kong/keg"
)

// assign sets one attribute. Whether what it is given is legal, the event is
// asked when it is whole.
func (t *Transform) assign(made *keg.Event, a assignment, v *view) error {
	text, ok, err := t.text(a.computed, v)
	if err != nil {
		return err
	}
	if a.name == "time" && ok {
		if made.Time, err = time.Parse(time.RFC3339, text); err != nil {
			return t.fail(a.path, "gave text that is no time such as 2026-01-31T12:00:00Z (RFC 3339)")
		}
		return nil
	}
	if !ok {
		text = ""
	}
	setAttribute(made, a.name, text)
	if ok && text == "" && made.Extensions != nil {
		if _, context := contextAttributes[a.name]; !context {
			made.Extensions[a.name] = "" // an extension may be empty text, and is there
		}
	}
	return nil
}

// contextAttributes are those with a field of their own; required ones are true.
var contextAttributes = map[string]bool{
	"id": true, "source": true, "type": true, "subject": false, "time": false, "datacontenttype": false, "dataschema": false,
}

// setAttribute gives an attribute a value, or takes it away where that is "".
// The time it can only take away.
func setAttribute(e *keg.Event, name, value string) {
	switch name {
	case "id":
		e.ID = value
	case "source":
		e.Source = value
	case "type":
		e.Type = value
	case "subject":
		e.Subject = value
	case "datacontenttype":
		e.DataContentType = value
	case "dataschema":
		e.DataSchema = value
	case "time":
		e.Time = time.Time{}
	default:
		if value == "" {
			delete(e.Extensions, name)
			return
		}
		if e.Extensions == nil {
			e.Extensions = map[string]string{}
		}
		e.Extensions[name] = value
	}
}

// invalid places what makes the whole event illegal at the attribute's value.
func (t *Transform) invalid(err error) error {
	var illegal *keg.InvalidError
	if !errors.As(err, &illegal) {
		return t.fail("set", "%v", err)
	}
	for _, a := range t.set {
		if a.name == illegal.Attribute {
			return t.fail(a.path, "gave a value that %s", illegal.Problem)
		}
	}
	return t.fail("set", "%v", illegal)
}

// addHeader gives the event a header that travels on with it.
func (t *Transform) addHeader(made *keg.Event, h assignment, v *view) error {
	text, ok, err := t.text(h.computed, v)
	switch {
	case err != nil:
		return err
	case !ok:
		delete(made.Headers, h.name)
		return nil
	case !httpguts.ValidHeaderFieldValue(text):
		return t.fail(h.path, "gave text with a character that no header may have, such as a line break")
	}
	if made.Headers == nil {
		made.Headers = keg.Headers{}
	}
	made.Headers[h.name] = []string{text}
	return nil
}

// unforwardable says why no header of that name, in lower case, can be given to
// what is sent; "" where it can.
func unforwardable(name string) string {
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		return "is no name of a header"
	case keg.OneHop(name), keg.OneMessage(name):
		return "cannot be set: it belongs to one message, and each destination gets its own"
	case strings.HasPrefix(name, "keg-dlq-"), name == "keg-hops":
		return "cannot be set: KEG itself writes it"
	}
	return ""
}
