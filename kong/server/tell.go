package server

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// SetHeader sets a header of the answer to the client.
func (b *Batch) SetHeader(name, value string) { b.header("kong.response.set_header", name, value) }

// AddHeader adds a header to the answer to the client.
func (b *Batch) AddHeader(name, value string) { b.header("kong.response.add_header", name, value) }

// ClearHeader takes a header away from the answer to the client.
func (b *Batch) ClearHeader(name string) {
	b.add("kong.response.clear_header", readNothing, appendText(nil, name))
}

// SetStatus sets the status of the answer to the client.
func (b *Batch) SetStatus(status int) {
	argument := protowire.AppendTag(nil, 1, protowire.VarintType)
	b.add("kong.response.set_status", readNothing, protowire.AppendVarint(argument, uint64(status)))
}

// SetServiceHeader sets a header of the request to the upstream.
func (b *Batch) SetServiceHeader(name, value string) {
	b.header("kong.service.request.set_header", name, value)
}

// ClearServiceHeader takes a header away from the request to the upstream.
func (b *Batch) ClearServiceHeader(name string) {
	b.add("kong.service.request.clear_header", readNothing, appendText(nil, name))
}

func (b *Batch) header(method, name, value string) {
	if err := checkHeader(name, []string{value}); err != nil {
		b.refuse(fmt.Errorf("%s: %w", method, err))
		return
	}
	var argument []byte // KV: 1 is the key, 2 the value
	argument = appendField(argument, 1, name)
	argument = protowire.AppendTag(argument, 2, protowire.BytesType)
	argument = protowire.AppendVarint(argument, uint64(sizeOfStringValue(value)))
	argument = appendField(argument, valueString, value)
	b.add(method, readNothing, argument)
}

func readNothing(*answer, []byte) error { return nil }
