package server

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// command is an RpcCall, read without the generated code: it is the first
// thing of every event.
type command struct {
	sequence int64
	kind     protowire.Number
	name     string // of a plugin
	config   []byte // the connection's buffer
	instance int32
	phase    Phase
}

// The commands by their number in RpcCall.
const (
	getPluginNames    = 31
	getPluginInfo     = 32
	startInstance     = 33
	getInstanceStatus = 34
	closeInstance     = 35
	handleEvent       = 36
)

var errNoCommand = errors.New("an RpcCall without a command")

// readCommand reads an RpcCall, its fields in any order, unknown ones passed
// over.
func readCommand(frame []byte) (command, error) {
	var c command
	err := eachField(frame, func(f field) error {
		switch {
		case f.number == 1 && f.wire == protowire.VarintType:
			c.sequence = int64(f.varint)
		case f.number >= getPluginNames && f.number <= handleEvent && f.wire == protowire.BytesType:
			// The last one counts, as with any oneof.
			c = command{sequence: c.sequence, kind: f.number}
			return c.readArguments(f.bytes)
		}
		return nil
	})
	if err == nil && c.kind == 0 {
		err = errNoCommand
	}
	return c, err
}

func (c *command) readArguments(message []byte) error {
	return eachField(message, func(f field) error {
		text := f.wire == protowire.BytesType
		number := f.wire == protowire.VarintType
		switch {
		case text && f.number == 1 && (c.kind == startInstance || c.kind == getPluginInfo):
			c.name = string(f.bytes)
		case text && f.number == 2 && c.kind == startInstance:
			c.config = f.bytes
		case number && f.number == 1:
			c.instance = int32(f.varint)
		case text && f.number == 2 && c.kind == handleEvent:
			c.phase = phaseOf(f.bytes)
		}
		return nil
	})
}

// phaseOf spares an allocation for the phases that are known.
func phaseOf(name []byte) Phase {
	for _, p := range phases {
		if string(name) == string(p) {
			return p
		}
	}
	return Phase(name)
}

// appendReturn adds the frame of an RpcReturn without a result.
func appendReturn(b []byte, sequence int64) []byte {
	start := len(b)
	b = openFrame(b)
	if sequence != 0 {
		b = protowire.AppendTag(b, 1, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(sequence))
	}
	return closeFrame(b, start)
}

// field is one field of a protobuf message; which of varint and bytes holds
// its value is wire's to say. Fixed-size values are bytes.
type field struct {
	number protowire.Number
	wire   protowire.Type
	varint uint64
	bytes  []byte
}

var errProtobuf = errors.New("not a protobuf message")

// eachField calls visit for each field of a message. Nested groups, which the
// protocol does not use, are passed over.
func eachField(message []byte, visit func(field) error) error {
	for len(message) > 0 {
		f, n := nextField(message)
		if n < 0 {
			return fmt.Errorf("%w: %w", errProtobuf, protowire.ParseError(n))
		}
		message = message[n:]
		if err := visit(f); err != nil {
			return err
		}
	}
	return nil
}

// nextField reads the first field of a message and tells how many bytes it
// takes; fewer than zero is an error of protowire's.
func nextField(b []byte) (field, int) {
	var f field
	var tag, n int
	f.number, f.wire, tag = protowire.ConsumeTag(b)
	if tag < 0 {
		return f, tag
	}
	switch rest := b[tag:]; f.wire {
	case protowire.VarintType:
		f.varint, n = protowire.ConsumeVarint(rest)
	case protowire.BytesType:
		f.bytes, n = protowire.ConsumeBytes(rest)
	default:
		if n = protowire.ConsumeFieldValue(f.number, f.wire, rest); n >= 0 {
			f.bytes = rest[:n]
		}
	}
	if n < 0 {
		return f, n
	}
	return f, tag + n
}
