package cloudevents

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/kong/keg"
)

// RecordEvent is the event made of a record itself, whatever is in it. Its id is
// the record's place, so that a record read again is the same event again.
func RecordEvent(r *Record) *keg.Event {
	e := fromPlainRecord(r)
	e.Headers = recordHeaders(r.Headers)
	if contentType := e.Headers.Get("content-type"); isAttributeText(contentType) {
		e.DataContentType = contentType
	}
	return e
}

// FromKafka reads the event that a record carries: a structured one, a binary
// one, or, failing these, an event made of the record itself. The event's data
// is part of the record's value.
func FromKafka(r *Record) (*keg.Event, error) {
	headers := recordHeaders(r.Headers)
	mode, err := modeOf(headers.Get("content-type"))
	if err != nil {
		return nil, err
	}
	var e *keg.Event
	switch {
	case mode == batched:
		return nil, &keg.UnsupportedError{Problem: "Kafka has no batch mode; write one record for each event"}
	case mode == structured:
		e, err = decodeJSON(r.Value)
	case claimsEvent(r.Headers):
		e, err = fromBinaryRecord(r)
	default:
		e = fromPlainRecord(r)
	}
	if err != nil {
		return nil, err
	}
	if contentType := headers.Get("content-type"); mode == unstructured && isAttributeText(contentType) {
		e.DataContentType = contentType
	}
	e.Headers = headers
	takeHops(e)
	inheritTrace(e, headers)
	if err := e.Validate(); err != nil {
		return nil, err
	}
	return e, nil
}

// recordHeaders are a record's headers as an event holds them. A value that is
// no legal header text is given up, the event is not.
func recordHeaders(headers []Header) keg.Headers {
	h := make(keg.Headers, len(headers))
	for _, header := range headers {
		name := strings.ToLower(header.Key)
		if ours := strings.ReplaceAll(name, "_", "-"); isOurs(ours) && strings.HasPrefix(name, "keg_") {
			name = ours
		}
		if value := string(header.Value); isToken(name) && isFieldText(value) {
			h.Add(name, value)
		}
	}
	return h
}

// eventAttribute is the name that a record header gives an attribute by.
func eventAttribute(key string) (string, bool) {
	if len(key) > 3 && (key[2] == '_' || key[2] == '-') && strings.EqualFold(key[:2], "ce") {
		return strings.ToLower(key[3:]), true
	}
	return "", false
}

// claimsEvent reports whether a record means to be a CloudEvent in binary mode.
func claimsEvent(headers []Header) bool {
	for _, header := range headers {
		switch name, _ := eventAttribute(header.Key); name {
		case "specversion", "id", "source", "type":
			return true
		}
	}
	return false
}

// fromBinaryRecord reads a record in binary mode (Kafka binding, section 3.2).
// Values are UTF-8 as they stand.
func fromBinaryRecord(r *Record) (*keg.Event, error) {
	e := &keg.Event{Data: r.Value}
	seen := make(map[string]bool, len(r.Headers))
	for _, header := range r.Headers {
		name, ok := eventAttribute(header.Key)
		if !ok {
			continue
		}
		switch {
		case name == "datacontenttype":
			return nil, &keg.InvalidError{Attribute: header.Key, Problem: "must not be sent; content-type says it"}
		case seen[name]:
			return nil, &keg.InvalidError{Attribute: header.Key, Problem: "is there more than once"}
		}
		seen[name] = true
		if err := assign(e, name, string(header.Value)); err != nil {
			return nil, err
		}
	}
	for _, name := range required {
		if !seen[name] {
			return nil, missing("ce_" + name)
		}
	}
	return e, nil
}

// fromPlainRecord makes an event of a record that is no CloudEvent. Its id is
// the record's place, so that a record read again is the same event again.
func fromPlainRecord(r *Record) *keg.Event {
	broker, _, _ := strings.Cut(r.Brokers, ",")
	e := &keg.Event{
		ID:     r.Topic + "-" + strconv.Itoa(int(r.Partition)) + "-" + strconv.FormatInt(r.Offset, 10),
		Source: "//" + broker + "/" + r.Topic,
		Type:   "kafka.record",
		Data:   r.Value,
	}
	if year := r.Time.Year(); year > 0 && year < 10000 { // a producer may set any time at all
		e.Time = r.Time
	}
	if len(r.Key) > 0 {
		key := string(r.Key)
		if !isAttributeText(key) {
			key = base64.StdEncoding.EncodeToString(r.Key) // an attribute must be text
		}
		e.Extensions = map[string]string{"partitionkey": key}
	}
	return e
}
