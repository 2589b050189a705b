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
// refuses as a whole; here the value is given up and the rest is kept.
//
// All strings are parts of one copy of the frame, and all lists parts of one
// slice: a request has one to two dozen headers, and this runs for every one.
func readHeaders(a *answer, frame []byte) error {
	count, err := countEntries(frame)
	if err != nil {
		return err
	}
	h := headerReader{
		copy:    string(frame),
		frame:   frame,
		values:  make([]string, 0, count),
		headers: make(map[string][]string, count),
	}
	a.headers = h.headers
	for rest := frame; len(rest) > 0; {
		f, n := nextField(rest)
		rest = rest[n:]
		if f.number != 1 || f.wire != protowire.BytesType {
			continue
		}
		if err := h.entry(f.bytes); err != nil {
			return err
		}
	}
	a.givenUp = h.givenUp
	return nil
}

func countEntries(frame []byte) (int, error) {
	count := 0
	err := eachField(frame, func(f field) error {
		if f.number == 1 && f.wire == protowire.BytesType {
			count++
		}
		return nil
	})
	return count, err
}

type headerReader struct {
	copy    string
	frame   []byte
	values  []string
	headers map[string][]string
	givenUp int
}

// text returns the part of the copy that b, a part of the frame, stands for.
// Slicing moves a slice's start and not its capacity's end, which tells where
// it began.
func (h *headerReader) text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	start := cap(h.frame) - cap(b)
	return h.copy[start : start+len(b)]
}

// entry reads one key and its value, in either order.
func (h *headerReader) entry(entry []byte) error {
	var key string
	var value []byte
	err := eachField(entry, func(f field) error {
		switch {
		case f.number == 1 && f.wire == protowire.BytesType:
			key = h.text(f.bytes)
		case f.number == 2 && f.wire == protowire.BytesType:
			value = f.bytes
		}
		return nil
	})
	if err != nil {
		return err
	}
	if key == "" || !wholesome(key) {
		h.givenUp++
		return nil
	}
	start := len(h.values)
	if err := h.value(value); err != nil {
		return err
	}
	if len(h.values) > start {
		key = strings.ToLower(key)
		values := h.values[start:len(h.values):len(h.values)]
		if before := h.headers[key]; before != nil {
			values = append(before, values...)
		}
		h.headers[key] = values
	}
	return nil
}

func (h *headerReader) value(value []byte) error {
	return eachField(value, func(f field) error {
		if f.wire != protowire.BytesType {
			return nil
		}
		switch f.number {
		case valueString:
			if text := h.text(f.bytes); wholesome(text) {
				h.values = append(h.values, text)
			} else {
				h.givenUp++
			}
		case valueList:
			return eachField(f.bytes, func(f field) error {
				if f.number == 1 && f.wire == protowire.BytesType {
					return h.value(f.bytes)
				}
				return nil
			})
		}
		return nil
	})
}

// wholesome reports whether s is UTF-8 that no line is broken by.
func wholesome(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsAny(s, "\r\n\x00")
}

// appendExit adds the two frames of kong.response.exit.
func appendExit(b []byte, status int, headers map[string][]string, body []byte) []byte {
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
