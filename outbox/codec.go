package outbox

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/kong/keg"
)

// The fields of a stored event, in protobuf's wire format: a reader skips those
// that it does not know, so that a later version may add some.
const (
	fieldID protowire.Number = iota + 1
	fieldSource
	fieldType
	fieldSubject
	fieldTime // three varints: seconds (zigzag), nanoseconds, offset of the zone in seconds (zigzag)
	fieldDataContentType
	fieldDataSchema
	fieldExtension // key and value
	fieldData
	fieldHeader // key and value
)

const (
	pairKey   protowire.Number = 1
	pairValue protowire.Number = 2
)

// AppendEvent appends e as stores keep it.
func AppendEvent(b []byte, e *keg.Event) []byte {
	text := func(field protowire.Number, s string) {
		if s != "" {
			b = protowire.AppendTag(b, field, protowire.BytesType)
			b = protowire.AppendString(b, s)
		}
	}
	text(fieldID, e.ID)
	text(fieldSource, e.Source)
	text(fieldType, e.Type)
	text(fieldSubject, e.Subject)
	if !e.Time.IsZero() {
		_, offset := e.Time.Zone()
		b = protowire.AppendTag(b, fieldTime, protowire.BytesType)
		length := protowire.SizeVarint(protowire.EncodeZigZag(e.Time.Unix())) + protowire.SizeVarint(uint64(e.Time.Nanosecond())) +
			protowire.SizeVarint(protowire.EncodeZigZag(int64(offset)))
		b = protowire.AppendVarint(b, uint64(length))
		b = protowire.AppendVarint(b, protowire.EncodeZigZag(e.Time.Unix()))
		b = protowire.AppendVarint(b, uint64(e.Time.Nanosecond()))
		b = protowire.AppendVarint(b, protowire.EncodeZigZag(int64(offset)))
	}
	text(fieldDataContentType, e.DataContentType)
	text(fieldDataSchema, e.DataSchema)
	for _, name := range sortedKeys(e.Extensions) {
		b = appendPair(b, fieldExtension, name, e.Extensions[name])
	}
	for _, name := range sortedKeys(e.Headers) {
		for _, value := range e.Headers[name] {
			b = appendPair(b, fieldHeader, name, value)
		}
	}
	if e.Data != nil { // empty data is not absent data
		b = protowire.AppendTag(b, fieldData, protowire.BytesType)
		b = protowire.AppendBytes(b, e.Data)
	}
	return b
}

func appendPair(b []byte, field protowire.Number, key, value string) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(2*protowire.SizeTag(pairKey)+protowire.SizeBytes(len(key))+protowire.SizeBytes(len(value))))
	b = protowire.AppendTag(b, pairKey, protowire.BytesType)
	b = protowire.AppendString(b, key)
	b = protowire.AppendTag(b, pairValue, protowire.BytesType)
	return protowire.AppendString(b, value)
}

// sortedKeys are m's, without a slice where there is none.
func sortedKeys[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}

// ParseEvent reads what [AppendEvent] wrote. The event's data is a part of b.
func ParseEvent(b []byte) (*keg.Event, error) {
	e := &keg.Event{}
	err := eachField(b, func(field protowire.Number, value []byte) error {
		switch field {
		case fieldID:
			e.ID = string(value)
		case fieldSource:
			e.Source = string(value)
		case fieldType:
			e.Type = string(value)
		case fieldSubject:
			e.Subject = string(value)
		case fieldTime:
			return parseTime(value, &e.Time)
		case fieldDataContentType:
			e.DataContentType = string(value)
		case fieldDataSchema:
			e.DataSchema = string(value)
		case fieldExtension:
			name, text, err := parsePair(value)
			if e.Extensions == nil {
				e.Extensions = make(map[string]string, 2)
			}
			e.Extensions[name] = text
			return err
		case fieldHeader:
			name, text, err := parsePair(value)
			if e.Headers == nil {
				e.Headers = make(keg.Headers, 2)
			}
			e.Headers[name] = append(e.Headers[name], text)
			return err
		case fieldData:
			e.Data = value[:len(value):len(value)]
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("a stored event cannot be read: %w", err)
	}
	return e, nil
}

// eachField calls take for every length-delimited field, and skips the others.
func eachField(b []byte, take func(field protowire.Number, value []byte) error) error {
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(field, kind, b); n < 0 {
				return protowire.ParseError(n)
			}
			b = b[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if err := take(field, value); err != nil {
			return err
		}
	}
	return nil
}

func parsePair(b []byte) (key, value string, err error) {
	err = eachField(b, func(field protowire.Number, text []byte) error {
		switch field {
		case pairKey:
			key = string(text)
		case pairValue:
			value = string(text)
		}
		return nil
	})
	return key, value, err
}

func parseTime(b []byte, t *time.Time) error {
	var parts [3]uint64
	for i := range parts {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		parts[i], b = v, b[n:]
	}
	zone := time.UTC
	if offset := protowire.DecodeZigZag(parts[2]); offset != 0 {
		zone = time.FixedZone("", int(offset))
	}
	*t = time.Unix(protowire.DecodeZigZag(parts[0]), int64(parts[1])).In(zone)
	return nil
}
