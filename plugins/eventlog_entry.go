package plugins

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/kong/keg"
)

// logEntry is Kong's log entry of one request, with what an event takes from it.
type logEntry struct {
	id             string // of the request
	started        int64  // in milliseconds; 0: it does not say
	service, route string // the name, or the id where there is none
	hops           string // what the request says of how often it has come to a KEG
	data           []byte // the entry, changed as the config says
}

// entryRules say how entries are changed. They are read by many goroutines.
type entryRules struct {
	redact redactions
	fields *additions
	query  redactions // of request.querystring
}

func newEntryRules(redact redactions, fields *additions) entryRules {
	request := redact.member(nil, []byte("request"))
	return entryRules{redact: redact, fields: fields, query: request.member(nil, []byte("querystring"))}
}

// maxEntryDepth is how deep an entry may nest.
const maxEntryDepth = 64

// read reads a log entry in one pass: values that are to be taken out are
// replaced, custom fields put in, and the rest copied as it is. Bytes that are
// not UTF-8, which a client may send in any header, become U+FFFD. Its error is
// a [*keg.InvalidError], and holds nothing of the entry.
func (rules *entryRules) read(text []byte) (logEntry, error) {
	if !utf8.Valid(text) {
		text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
	}
	r := entryReader{rules: rules, out: make([]byte, 0, len(text)+256)}
	r.in.Reset(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if r.in.PeekKind() != '{' {
		return logEntry{}, &keg.InvalidError{Problem: "Kong's log entry is no JSON object"}
	}
	err := r.object(atRoot, rules.redact, rules.fields, 1)
	if err == nil {
		if _, err = r.in.ReadToken(); err == nil {
			err = errors.New("something follows it")
		} else if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err != nil {
		return logEntry{id: r.entry.id}, &keg.InvalidError{Problem: fmt.Sprintf("Kong's log entry is broken at byte %d: %s", r.in.InputOffset(), jsonProblem(err))}
	}
	r.entry.data = r.out
	if r.entry.service == "" {
		r.entry.service = r.serviceID
	}
	if r.entry.route == "" {
		r.entry.route = r.routeID
	}
	return r.entry, nil
}

// jsonProblem is why JSON is broken, without the text around the place.
func jsonProblem(err error) string {
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return syntactic.Err.Error()
	}
	return err.Error()
}

// requestIDOf is the id of the request that an entry tells of; "" where it has
// none, or is no JSON.
func requestIDOf(entry string) string {
	var in jsontext.Decoder
	in.Reset(bytes.NewBufferString(entry), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	text := ""
	enter := func(name string) bool {
		if in.PeekKind() != '{' {
			return false
		}
		_, _ = in.ReadToken()
		for in.PeekKind() == '"' {
			token, err := in.ReadToken()
			if err != nil || token.String() == name {
				return err == nil
			}
			if in.SkipValue() != nil {
				return false
			}
		}
		return false
	}
	if enter("request") && enter("id") && in.PeekKind() == '"' {
		if token, err := in.ReadToken(); err == nil {
			text = token.String()
		}
	}
	return text
}
