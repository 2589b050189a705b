package gateway

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// TestMessagesAreProtobuf holds what is written by hand against Go's protobuf.
func TestMessagesAreProtobuf(t *testing.T) {
	table := map[string]any{"s": "text", "n": 1.5, "b": false, "nil": nil, "list": []any{"a", map[string]any{"x": -2.0}}}
	var decoded structpb.Struct
	if err := proto.Unmarshal(structMessage(table), &decoded); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(table, decoded.AsMap()); diff != "" {
		t.Errorf("written -, read +:\n%s", diff)
	}
	encoded, err := proto.Marshal(&decoded)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readStruct(encoded, 0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(table, got); diff != "" {
		t.Errorf("want -, read +:\n%s", diff)
	}
}

func FuzzPDKArguments(f *testing.F) {
	for _, table := range []map[string]any{{"a": "b"}, {"a": []any{1.0, nil, map[string]any{}}}} {
		f.Add(structMessage(table))
	}
	f.Add([]byte{8, 0xc8, 1, 0x12, 1, 'x'})
	f.Fuzz(func(t *testing.T, message []byte) {
		if table, err := readStruct(message, 0); err == nil {
			_ = structMessage(table)
			_, _ = headerTable(table)
			_ = encodeQuery(table)
		}
		_, _ = readString(message)
		_, _ = readInt(message)
		_, _, _ = readKV(message)
		_, _ = readList(message, 0)
	})
}
