package plugins

import (
	"encoding/base64"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/kong/keg"
)

// record is the value of a request's record: a JSON object of what the config
// forwards.
func (u *kafkaUpstreamInstance) record(r *kafkaRequest) ([]byte, error) {
	w := recordWriter{make([]byte, 0, 256+len(r.body)*5/4)}
	c := u.config
	if c.ForwardMethod {
		w.member("method")
		w.text(r.method)
	}
	if c.ForwardURI {
		w.member("uri")
		w.text(r.uri)
		w.member("uri_args")
		w.args(parseArgs(r.query))
	}
	if c.ForwardHeaders {
		w.member("headers")
		w.headers(r.headers)
	}
	if c.ForwardBody {
		if err := w.body(r.contentType, r.body); err != nil {
			return nil, err
		}
	}
	return append(w.out, '}'), nil
}

// recordWriter appends the members of an object.
type recordWriter struct{ out []byte }

func (w *recordWriter) member(name string) {
	separator := byte(',')
	if len(w.out) == 0 {
		separator = '{'
	}
	w.out = append(append(append(w.out, separator, '"'), name...), '"', ':')
}

func (w *recordWriter) text(s string) {
	w.out, _ = jsontext.AppendQuote(w.out, asUTF8(s))
}

// args writes arguments by their names: a list where a name is repeated, and true
// for one that has no value, as nginx reads them.
func (w *recordWriter) args(args []arg) {
	w.out = append(w.out, '{')
	for i, a := range args {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.text(a.name)
		w.out = append(w.out, ':')
		if len(a.values) > 1 {
			w.out = append(w.out, '[')
		}
		for j, v := range a.values {
			if j > 0 {
				w.out = append(w.out, ',')
			}
			if v == nil {
				w.out = append(w.out, "true"...)
			} else {
				w.text(*v)
			}
		}
		if len(a.values) > 1 {
			w.out = append(w.out, ']')
		}
	}
	w.out = append(w.out, '}')
}

// headers writes them by name, a list where one is repeated.
func (w *recordWriter) headers(h keg.Headers) {
	args := make([]arg, 0, len(h))
	for _, name := range slices.Sorted(maps.Keys(h)) {
		a := arg{name: name}
		for _, value := range h[name] {
			a.values = append(a.values, &value)
		}
		args = append(args, a)
	}
	w.args(args)
}

// body writes the body as it is where it is text, and what it says where that
// can be read; anything else in base64.
func (w *recordWriter) body(contentType string, body []byte) error {
	kind := bodyKind(contentType)
	args, err := kind.read(contentType, body)
	if err != nil {
		return err
	}
	w.member("body")
	encoded := len(body) > 0 && (kind == binaryBody || !utf8.Valid(body))
	if encoded {
		w.out = append(w.out, '"')
		w.out = base64.StdEncoding.AppendEncode(w.out, body)
		w.out = append(w.out, '"')
	} else {
		w.out, _ = jsontext.AppendQuote(w.out, body)
	}
	switch {
	case args.json != nil:
		w.member("body_args")
		w.out = append(w.out, args.json...)
	case args.list != nil:
		w.member("body_args")
		w.args(args.list)
	}
	if encoded {
		w.member("body_base64")
		w.out = append(w.out, "true"...)
	}
	return nil
}

// asUTF8 is text that JSON can hold: bytes that are no UTF-8 are read as ISO
// 8859-1, which headers once were, so that none is lost.
func asUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	runes := make([]rune, len(s))
	for i, c := range []byte(s) {
		runes[i] = rune(c)
	}
	return string(runes)
}
