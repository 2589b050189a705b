package plugins_test

import (
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"slices"
	"testing"

	wire "github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// headersFrame encodes a google.protobuf.Struct as lua-protobuf does: whatever
// the bytes are.
func headersFrame(headers map[string][]string) []byte {
	field := func(number protowire.Number, value []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
	}
	var frame []byte
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		var value []byte
		if values := headers[name]; len(values) == 1 {
			value = field(3, []byte(values[0]))
		} else {
			var list []byte
			for _, one := range values {
				list = append(list, field(1, field(3, []byte(one)))...)
			}
			value = field(6, list)
		}
		frame = append(frame, field(1, append(field(1, []byte(name)), field(2, value)...))...)
	}
	return frame
}

func text(t testing.TB, frame []byte) string {
	m := &wire.String{}
	if err := proto.Unmarshal(frame, m); err != nil {
		t.Fatal(err)
	}
	return m.V
}

func writeFrame(t testing.TB, w io.Writer, b []byte) {
	t.Helper()
	if _, err := w.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...)); err != nil {
		t.Fatal(err)
	}
}

func readFrame(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(size[:])
	if n > 64<<20 {
		return nil, errors.New("a frame of more than 64 MiB")
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}
