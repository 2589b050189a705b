package plugins

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/kong/keg"
)

// place is where in an entry a value stands, as far as it matters.
type place int

const (
	elsewhere place = iota
	atRoot
	atRequest
	atHeaders // of the request
	atService
	atRoute
	atURI
)

func (p place) member(name []byte) place {
	switch string(name) {
	case "request":
		return p.below(atRoot, atRequest)
	case "service":
		return p.below(atRoot, atService)
	case "route":
		return p.below(atRoot, atRoute)
	case "upstream_uri":
		return p.below(atRoot, atURI)
	case "headers":
		return p.below(atRequest, atHeaders)
	case "uri", "url":
		return p.below(atRequest, atURI)
	}
	return elsewhere
}

func (p place) below(parent, child place) place {
	if p == parent {
		return child
	}
	return elsewhere
}

// entryReader is one walk through an entry.
type entryReader struct {
	rules              *entryRules
	in                 jsontext.Decoder
	out                []byte
	entry              logEntry
	serviceID, routeID string
}

// object copies the object that comes next.
func (r *entryReader) object(at place, redact redactions, add *additions, depth int) error {
	if depth > maxEntryDepth {
		return fmt.Errorf("it nests deeper than %d levels", maxEntryDepth)
	}
	if _, err := r.in.ReadToken(); err != nil {
		return err
	}
	var room [4][]segment
	var seen []bool
	if add != nil {
		seen = make([]bool, len(add.members))
	}
	r.out = append(r.out, '{')
	first := true
	for r.in.PeekKind() == '"' {
		quoted, err := r.in.ReadValue()
		if err != nil {
			return err
		}
		if !first {
			r.out = append(r.out, ',')
		}
		first = false
		r.out = append(append(r.out, quoted...), ':')
		name, err := unquoted(quoted)
		if err != nil {
			return err
		}
		below, i := add.member(name)
		if i >= 0 {
			seen[i] = true
		}
		// The name lies in the decoder's buffer, and is gone after this.
		keep := at.attribute(name)
		if err := r.value(at.member(name), keep, redact.member(room[:0], name), below, depth+1); err != nil {
			return err
		}
	}
	if _, err := r.in.ReadToken(); err != nil {
		return err
	}
	for i := range seen {
		if !seen[i] {
			if !first {
				r.out = append(r.out, ',')
			}
			first = false
			r.out = add.members[i].appendMember(r.out)
		}
	}
	r.out = append(r.out, '}')
	return nil
}

// value copies the value that comes next, or what stands for it.
func (r *entryReader) value(at place, a attribute, redact redactions, add *additions, depth int) error {
	kind, taken := r.in.PeekKind(), redact.here()
	if add != nil && (add.value != nil || kind != '{' || taken) {
		value, err := r.in.ReadValue()
		if err == nil {
			r.note(a, value)
			r.out = add.appendTo(r.out)
		}
		return err
	}
	switch {
	case kind == '{' && !taken:
		return r.object(at, redact, add, depth)
	case kind == '[' && !taken:
		return r.list(redact, depth)
	}
	value, err := r.in.ReadValue()
	if err != nil {
		return err
	}
	r.note(a, value)
	switch {
	case taken:
		r.out = append(r.out, `"`+redacted+`"`...)
	case at == atURI && kind == '"' && len(r.rules.query) > 0 && bytes.IndexByte(value, '?') >= 0:
		uri, err := unquoted(value)
		if err != nil {
			return err
		}
		r.out, err = jsontext.AppendQuote(r.out, r.rules.query.query(string(uri)))
		return err
	default:
		r.out = append(r.out, value...)
	}
	return nil
}

// list copies the list that comes next. Nothing is put into one.
func (r *entryReader) list(redact redactions, depth int) error {
	if depth > maxEntryDepth {
		return fmt.Errorf("it nests deeper than %d levels", maxEntryDepth)
	}
	if _, err := r.in.ReadToken(); err != nil {
		return err
	}
	var room [4][]segment
	r.out = append(r.out, '[')
	for i := 0; r.in.PeekKind() != ']'; i++ {
		if i > 0 {
			r.out = append(r.out, ',')
		}
		if err := r.value(elsewhere, nothing, redact.element(room[:0], i), nil, depth+1); err != nil {
			return err
		}
	}
	_, err := r.in.ReadToken()
	r.out = append(r.out, ']')
	return err
}

// attribute is what an event takes from a member.
type attribute int

const (
	nothing attribute = iota
	requestID
	startedAt
	serviceName
	serviceID
	routeName
	routeID
	hops
)

func (p place) attribute(name []byte) attribute {
	switch string(name) {
	case "id":
		switch p {
		case atRequest:
			return requestID
		case atService:
			return serviceID
		case atRoute:
			return routeID
		}
	case "name":
		switch p {
		case atService:
			return serviceName
		case atRoute:
			return routeName
		}
	case "started_at":
		if p == atRoot {
			return startedAt
		}
	case keg.HopsHeader:
		if p == atHeaders {
			return hops
		}
	}
	return nothing
}

// note keeps what an event takes. What is of another type than Kong writes, for
// a plugin may put anything into an entry, counts as absent.
func (r *entryReader) note(a attribute, value jsontext.Value) {
	if a == nothing {
		return
	}
	if a == startedAt {
		if ms, err := strconv.ParseFloat(string(value), 64); err == nil && ms >= 0 && ms < latest {
			r.entry.started = int64(ms)
		}
		return
	}
	if value.Kind() != '"' {
		return
	}
	text, err := jsontext.AppendUnquote[[]byte](nil, value)
	if err != nil {
		return
	}
	switch s := string(text); a {
	case requestID:
		r.entry.id = s
	case serviceName:
		r.entry.service = s
	case serviceID:
		r.serviceID = s
	case routeName:
		r.entry.route = s
	case routeID:
		r.routeID = s
	case hops:
		r.entry.hops = s
	}
}

// latest is the first millisecond that RFC 3339 cannot write, about.
const latest = 253_402_300_800_000

// unquoted is the text of a JSON string, which is the decoder's own where nothing
// in it is escaped.
func unquoted(quoted jsontext.Value) ([]byte, error) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1], nil
	}
	return jsontext.AppendUnquote[[]byte](nil, quoted)
}
