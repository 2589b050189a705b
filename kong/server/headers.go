package server

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// The field numbers of google.protobuf.Value that headers use.
const (
	valueString = 3
	valueList   = 6
)

// readHeaders reads a google.protobuf.Struct of strings and lists of strings.
// Every client can send bytes that are not UTF-8, which the generated code
// refuses as a whole; here a value stays what the client sent, for whoever reads
// it to judge. One that would break a line is given up, and the rest is kept.
//
// All strings are parts of one copy of the frame, and all lists parts of one
// slice: a request has one to two dozen headers, and this runs for every one.
func readHeaders(a *answer, frame []byte) error {
	message := string(frame)
	count := 0
	for rest := message; rest != ""; count++ {
		var err error
		if _, _, rest, err = cut(rest); err != nil {
			return err
		}
	}
	h := headerReader{headers: make(map[string][]string, count)}
	a.headers = h.headers
	h.values = make([]string, 0, count)
	if err := h.read(message); err != nil {
		return err
	}
	if h.named > len(h.headers) {
		h = headerReader{headers: h.headers, join: true}
		clear(h.headers)
		if err := h.read(message); err != nil {
			return err
		}
	}
	a.givenUp = h.givenUp
	return nil
}

type headerReader struct {
	values  []string
	headers map[string][]string
	named   int // how many names there were
	// join puts together what comes under one name. Kong sends each name once,
	// so the first reading does not look for another of its name, but only
	// counts; where there was one, all is read again.
	join    bool
	givenUp int64
}

func (h *headerReader) read(message string) error {
	for message != "" {
		var number uint64
		var entry string
		number, entry, message, _ = cut(message)
		if number != 1 {
			continue
		}
		if err := h.entry(entry); err != nil {
			return err
		}
	}
	return nil
}

// entry reads one key and its value, in either order.
func (h *headerReader) entry(entry string) error {
	var key, value string
	for entry != "" {
		number, part, rest, err := cut(entry)
		if err != nil {
			return err
		}
		switch entry = rest; number {
		case 1:
			key = part
		case 2:
			value = part
		}
	}
	if !plainName(key) {
		if key == "" || !utf8.ValidString(key) || breaksLines(key) {
			h.givenUp++
			return nil
		}
		key = strings.ToLower(key)
	}
	start := len(h.values)
	if err := h.value(value, true); err != nil {
		return err
	}
	if len(h.values) > start {
		values := h.values[start:len(h.values):len(h.values)]
		if h.join {
			values = append(h.headers[key], values...)
		}
		h.headers[key] = values
		h.named++
	}
	return nil
}

// value reads a string, or a list of them.
func (h *headerReader) value(value string, listed bool) error {
	for value != "" {
		number, part, rest, err := cut(value)
		if err != nil {
			return err
		}
		switch value = rest; {
		case number == valueString && breaksLines(part):
			h.givenUp++
		case number == valueString:
			h.values = append(h.values, part)
		case number == valueList && listed:
			err = h.list(part)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *headerReader) list(list string) error {
	for list != "" {
		number, element, rest, err := cut(list)
		if err != nil {
			return err
		}
		if list = rest; number == 1 {
			if err := h.value(element, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// plainName spares two looks at a name: Kong gives them in lower case.
func plainName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return s != ""
}

// cut takes the first field off a message, and returns its number and bytes,
// which are a part of the message. The number is 0 for a field of another kind.
func cut(message string) (number uint64, value, rest string, err error) {
	if len(message) > 1 && message[0]&0x87 == byte(protowire.BytesType) && message[1] < 0x80 { // as a rule
		if end := 2 + int(message[1]); end <= len(message) {
			return uint64(message[0] >> 3), message[2:end], message[end:], nil
		}
	}
	tag, n := varint(message)
	if n == 0 {
		return 0, "", "", errProtobuf
	}
	rest = message[n:]
	switch protowire.Type(tag & 7) {
	case protowire.BytesType:
		length, n := varint(rest)
		if n == 0 || length > uint64(len(rest)-n) {
			return 0, "", "", errProtobuf
		}
		return tag >> 3, rest[n : n+int(length)], rest[n+int(length):], nil
	case protowire.VarintType:
		_, n = varint(rest)
	case protowire.Fixed64Type:
		n = 8
	case protowire.Fixed32Type:
		n = 4
	default:
		n = 0
	}
	if n == 0 || n > len(rest) {
		return 0, "", "", errProtobuf
	}
	return 0, "", rest[n:], nil
}

// varint reads a number and tells how many bytes it takes, 0 for none.
func varint(s string) (v uint64, n int) {
	if len(s) > 0 && s[0] < 0x80 {
		return uint64(s[0]), 1
	}
	for i := 0; i < len(s) && i < 10; i++ {
		v |= uint64(s[i]&0x7f) << (7 * i)
		if s[i] < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}

// appendExit adds the two frames of kong.response.exit.
func appendExit(b []byte, status int, headers map[string][]string, body []byte) []byte {
	b = slices.Grow(b, len(body)+512)
	b = appendFrame(b, "kong.response.exit")
	start := len(b)
	b = openFrame(b)
	b = protowire.AppendTag(b, 1, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(status))
	if len(body) > 0 {
		b = appendField(b, 2, body)
	}
	if len(headers) > 0 {
		b = appendField(b, 3, appendStruct(nil, headers))
	}
	return closeFrame(b, start)
}

// appendStruct encodes headers as a google.protobuf.Struct of lists.
func appendStruct(b []byte, headers map[string][]string) []byte {
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		var list []byte
		for _, value := range headers[name] {
			list = protowire.AppendTag(list, 1, protowire.BytesType)
			list = protowire.AppendVarint(list, uint64(sizeOfStringValue(value)))
			list = appendField(list, valueString, value)
		}
		entry := appendField(nil, 1, name)
		entry = appendField(entry, 2, appendField(nil, valueList, list))
		b = appendField(b, 1, entry)
	}
	return b
}

func appendField[T string | []byte](b []byte, number protowire.Number, value T) []byte {
	b = protowire.AppendTag(b, number, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(len(value)))
	return append(b, value...)
}

func sizeOfStringValue(value string) int {
	return protowire.SizeTag(valueString) + protowire.SizeBytes(len(value))
}
