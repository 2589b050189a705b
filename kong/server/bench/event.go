//go:build linux

package main

import (
	"bytes"
	"fmt"

	wire "github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// calls are those that the plugin must make, with their answers.
var calls = describe()

type call struct{ method, answer []byte }

// describe encodes a 1 KB event.
func describe() []call {
	headers, err := structpb.NewStruct(map[string]any{
		"host": "events.example.org:8000", "user-agent": "curl/8.5.0", "accept": "*/*",
		"content-type": "application/json", "content-length": "1024",
		"ce-specversion": "1.0", "ce-type": "com.example.order.created", "ce-source": "/shop/eu-1",
		"ce-id": "6f1f7f0e-6c0b-4f0c-8f7e-2f9d8c0a1b2c", "x-request-id": "0103c747151d3d31bdd5ce3ef32d8c01",
	})
	if err != nil {
		panic(err)
	}
	content := fmt.Appendf(nil, `{"order":"%s"}`, bytes.Repeat([]byte("x"), 1024-12))
	return []call{
		{[]byte("kong.request.get_headers"), encode(headers)},
		{[]byte("kong.request.get_raw_body"), encode(&wire.RawBodyResult{Kind: &wire.RawBodyResult_Content{Content: content}})},
	}
}

func encode(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

// event begins an event.
func (c *conn) event() error {
	c.sequence++
	c.next = 0
	command := protowire.AppendTag(nil, 1, protowire.VarintType)
	command = protowire.AppendVarint(command, uint64(c.instance))
	command = protowire.AppendTag(command, 2, protowire.BytesType)
	command = protowire.AppendString(command, "access")
	message := protowire.AppendTag(nil, 36, protowire.BytesType)
	message = protowire.AppendBytes(message, command)
	message = protowire.AppendTag(message, 1, protowire.VarintType)
	message = protowire.AppendVarint(message, uint64(c.sequence))
	return c.queue(message)
}

// checkReturn sees to it that the event that ended is the one that began.
func (c *conn) checkReturn(message []byte) error {
	_, _, tag := protowire.ConsumeTag(message)
	if tag < 0 {
		return protowire.ParseError(tag)
	}
	if sequence, _ := protowire.ConsumeVarint(message[tag:]); int64(sequence) != c.sequence {
		return fmt.Errorf("event %d was answered as %d", c.sequence, sequence)
	}
	return nil
}
