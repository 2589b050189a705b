package gateway

import (
	"errors"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Kong writes and reads protobuf by a library for Lua, which does not look at
// whether a string is UTF-8, where Go's insists. So these few messages are
// written and read here by hand, as leniently.

var errMessage = errors.New("the argument is not the message that this method takes")

func appendText(dst []byte, number protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(dst, number, protowire.BytesType), text)
}

func appendMessage(dst []byte, number protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(dst, number, protowire.BytesType), message)
}

// stringMessage is a kong_plugin_protocol.String or ByteString; proto3 leaves out
// what is empty.
func stringMessage(text string) []byte {
	if text == "" {
		return nil
	}
	return appendText(nil, 1, text)
}

func intMessage(n int) []byte {
	if n == 0 {
		return nil
	}
	return protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(int64(n)))
}

func boolMessage(b bool) []byte {
	if !b {
		return nil
	}
	return intMessage(1)
}

func numberMessage(f float64) []byte {
	if f == 0 {
		return nil
	}
	return protowire.AppendFixed64(protowire.AppendTag(nil, 1, protowire.Fixed64Type), math.Float64bits(f))
}

// structMessage is a google.protobuf.Struct.
func structMessage(table map[string]any) []byte {
	var out []byte
	for _, key := range slices.Sorted(maps.Keys(table)) {
		entry := appendText(nil, 1, key)
		entry = appendMessage(entry, 2, valueMessage(table[key]))
		out = appendMessage(out, 1, entry)
	}
	return out
}

// valueMessage is a google.protobuf.Value.
func valueMessage(value any) []byte {
	switch v := value.(type) {
	case bool:
		n := uint64(0)
		if v {
			n = 1
		}
		return protowire.AppendVarint(protowire.AppendTag(nil, 4, protowire.VarintType), n)
	case float64:
		return protowire.AppendFixed64(protowire.AppendTag(nil, 2, protowire.Fixed64Type), math.Float64bits(v))
	case int:
		return valueMessage(float64(v))
	case int64:
		return valueMessage(float64(v))
	case string:
		return appendText(nil, 3, v)
	case []any:
		if len(v) == 0 {
			return valueMessage(map[string]any{}) // Lua cannot tell
		}
		var list []byte
		for _, item := range v {
			list = appendMessage(list, 1, valueMessage(item))
		}
		return appendMessage(nil, 6, list)
	case map[string]any:
		return appendMessage(nil, 5, structMessage(v))
	default:
		return protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 0)
	}
}

// eachField calls f with every field of a message; bytes holds what a
// length-delimited field has, number what any other has.
func eachField(message []byte, f func(id protowire.Number, bytes []byte, number uint64) error) error {
	for len(message) > 0 {
		id, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return errMessage
		}
		message = message[n:]
		var bytes []byte
		var number uint64
		switch kind {
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(message)
		case protowire.Fixed64Type:
			number, n = protowire.ConsumeFixed64(message)
		case protowire.BytesType:
			bytes, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(id, kind, message)
		}
		if n < 0 {
			return errMessage
		}
		if err := f(id, bytes, number); err != nil {
			return err
		}
		message = message[n:]
	}
	return nil
}

// maxNesting bounds the depth of a Value.
const maxNesting = 64

func readValue(message []byte, depth int) (any, error) {
	if depth > maxNesting {
		return nil, errMessage
	}
	var value any
	err := eachField(message, func(id protowire.Number, bytes []byte, number uint64) (err error) {
		switch id {
		case 2:
			value = math.Float64frombits(number)
		case 3:
			value = string(bytes)
		case 4:
			value = number != 0
		case 5:
			value, err = readStruct(bytes, depth+1)
		case 6:
			value, err = readList(bytes, depth+1)
		}
		return err
	})
	return value, err
}

func readStruct(message []byte, depth int) (map[string]any, error) {
	table := map[string]any{}
	err := eachField(message, func(_ protowire.Number, entry []byte, _ uint64) error {
		var key string
		var value any
		err := eachField(entry, func(id protowire.Number, bytes []byte, _ uint64) (err error) {
			if id == 1 {
				key = string(bytes)
			} else if id == 2 {
				value, err = readValue(bytes, depth)
			}
			return err
		})
		table[key] = value
		return err
	})
	return table, err
}

func readList(message []byte, depth int) ([]any, error) {
	list := []any{}
	err := eachField(message, func(_ protowire.Number, item []byte, _ uint64) error {
		value, err := readValue(item, depth)
		list = append(list, value)
		return err
	})
	return list, err
}

// readString reads a String or ByteString.
func readString(message []byte) (text string, err error) {
	err = eachField(message, func(id protowire.Number, bytes []byte, _ uint64) error {
		if id == 1 {
			text = string(bytes)
		}
		return nil
	})
	return text, err
}

// readInt reads an Int or Bool.
func readInt(message []byte) (n int, err error) {
	err = eachField(message, func(id protowire.Number, _ []byte, number uint64) error {
		if id == 1 {
			n = int(int32(number))
		}
		return nil
	})
	return n, err
}

func readKV(message []byte) (key string, value any, err error) {
	err = eachField(message, func(id protowire.Number, bytes []byte, _ uint64) (err error) {
		switch id {
		case 1:
			key = string(bytes)
		case 2:
			value, err = readValue(bytes, 0)
		}
		return err
	})
	return key, value, err
}
