package server

import (
	"slices"
	"testing"

	wire "github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"
)

func TestTheNamesOfEntities(t *testing.T) {
	encoded := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, test := range []struct {
		name  string
		read  func(*answer, []byte) error
		frame []byte
		want  string
	}{
		{"nobody", readConsumer, nil, ""},
		{"a consumer", readConsumer, encoded(&wire.Consumer{Id: "1", Username: "alice", CustomId: "c", Tags: []string{"t"}}), "alice"},
		{"a consumer of a custom id only", readConsumer, encoded(&wire.Consumer{Id: "1", CustomId: "c", CreatedAt: 7}), "1"},
		{"no route", readNamed, nil, ""},
		{"a route", readNamed, encoded(&wire.Route{Id: "1", Name: "orders", Paths: []string{"/a"}, Service: &wire.ServiceKey{Id: "2"}}), "orders"},
		{"a route without a name", readNamed, encoded(&wire.Route{Id: "1", Protocols: []string{"http"}}), "1"},
		{"a service", readNamed, encoded(&wire.Service{Id: "1", Name: "shop", Host: "h", Port: 80}), "shop"},
		{"its fields in another order", readNamed, slices.Concat(appendField(nil, 4, "shop"), appendField(nil, 1, "1")), "shop"},
		{"a tag that is not UTF-8", readNamed, append(encoded(&wire.Service{Id: "1", Name: "shop"}), appendField(nil, 13, "\xff")...), "shop"},
	} {
		var a answer
		if err := test.read(&a, test.frame); err != nil || a.text != test.want {
			t.Errorf("%s: %q, %v", test.name, a.text, err)
		}
	}
	if err := readNamed(new(answer), []byte{0x22, 0x7f}); err == nil {
		t.Error("a frame that ends early was read")
	}
}
