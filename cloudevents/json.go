package cloudevents

import (
	"encoding/base64"
	"strconv"

	"github.com/kong/keg"
)

// FromJSON reads one event in the JSON event format. The event's data may be
// part of b, which must not be written to afterwards.
func FromJSON(b []byte) (*keg.Event, error) {
	e, err := decodeJSON(b)
	if err != nil {
		return nil, err
	}
	if err := e.Validate(); err != nil {
		return nil, err
	}
	return e, nil
}

// decodeJSON is FromJSON before validation.
func decodeJSON(b []byte) (*keg.Event, error) {
	s := startScan(b)
	defer s.finish()
	d := document{event: new(keg.Event)}
	if kind := s.PeekKind(); kind != '{' && kind != 0 {
		return nil, &keg.InvalidError{Problem: "the event is no JSON object"}
	}
	if err := s.members(d.member); err != nil {
		return nil, err
	}
	if err := s.end(); err != nil {
		return nil, err
	}
	if err := d.settle(); err != nil {
		return nil, err
	}
	return d.event, nil
}

// document is one JSON object on its way to being an event.
type document struct {
	event   *keg.Event
	version bool
	data    []byte // raw JSON
	base64  []byte // raw JSON string
}

// member takes one member of the object: null is unset, the unknown is an
// extension (JSON event format, section 2).
func (d *document) member(rawName, value []byte) error {
	if value[0] == 'n' {
		return nil
	}
	name := attributeName(rawName)
	if d.has(name) {
		return &keg.InvalidError{Attribute: name, Problem: "is there twice"}
	}
	switch name {
	case "data":
		d.data = value
		return nil
	case "data_base64":
		d.base64 = value
		return nil
	case "specversion":
		d.version = true
	}
	text, err := attributeText(name, value)
	if err != nil {
		return err
	}
	return assign(d.event, name, text)
}

// attributeName is name as a string, for the usual ones without a copy.
func attributeName(name []byte) string {
	for _, known := range [...]string{"specversion", "id", "source", "type", "subject", "time",
		"datacontenttype", "dataschema", "data", "data_base64"} {
		if string(name) == known {
			return known
		}
	}
	return string(name)
}

func (d *document) has(name string) bool {
	switch name {
	case "data":
		return d.data != nil
	case "data_base64":
		return d.base64 != nil
	case "specversion":
		return d.version
	}
	_, ok := d.event.Attribute(name)
	return ok
}

// attributeText is the canonical string of an attribute's JSON value. Only
// extensions have values other than strings (JSON event format, section 2.2).
func attributeText(name string, value []byte) (string, error) {
	extension := true
	switch name {
	case "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema":
		extension = false
	}
	switch kind := value[0]; {
	case kind == '"':
		return string(unquoteJSON(value)), nil
	case !extension:
		return "", &keg.InvalidError{Attribute: name, Problem: "must be a JSON string"}
	case kind == 't', kind == 'f':
		return string(value), nil
	case kind != '{' && kind != '[':
		if n, err := strconv.ParseInt(string(value), 10, 32); err == nil {
			return strconv.FormatInt(n, 10), nil
		}
	}
	return "", &keg.InvalidError{Attribute: name, Problem: "must be a string, a boolean or a 32-bit integer, as extensions are"}
}

// settle reads the data, which needs the content type, which may come later.
func (d *document) settle() error {
	e := d.event
	switch {
	case !d.version:
		return missing("specversion")
	case d.data != nil && d.base64 != nil:
		return &keg.InvalidError{Attribute: "data_base64", Problem: `and "data" exclude each other`}
	case d.base64 != nil:
		if d.base64[0] != '"' {
			return &keg.InvalidError{Attribute: "data_base64", Problem: "must be a JSON string"}
		}
		text := unquoteJSON(d.base64)
		data := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
		n, err := base64.StdEncoding.Decode(data, text)
		if err != nil {
			return &keg.InvalidError{Attribute: "data_base64", Problem: "is no base64 (RFC 4648, section 4)"}
		}
		e.Data = data[:n]
	case d.data != nil && d.data[0] == '"' && !e.JSONData():
		e.Data = append([]byte{}, unquoteJSON(d.data)...)
	case d.data != nil:
		if tooDeep(d.data, maxDepth) {
			return errTooDeep
		}
		e.Data = d.data
	}
	return nil
}
