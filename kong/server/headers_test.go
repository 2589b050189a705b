package server

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	wire "github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// entryOf encodes one entry of a Struct, its key and value in the given order.
func entryOf(key string, value []byte, valueFirst bool) []byte {
	k, v := appendField(nil, 1, key), appendField(nil, 2, value)
	if valueFirst {
		k, v = v, k
	}
	return appendField(nil, 1, append(k, v...))
}

func text(s string) []byte { return appendField(nil, valueString, s) }

func list(values ...string) []byte {
	var l []byte
	for _, v := range values {
		l = appendField(l, 1, text(v))
	}
	return appendField(nil, valueList, l)
}

func TestHeadersAreReadLeniently(t *testing.T) {
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 9, protowire.VarintType), 300)
	for _, test := range []struct {
		name    string
		frame   []byte
		want    map[string][]string
		givenUp int64
	}{
		{"none", nil, map[string][]string{}, 0},
		{"one value", entryOf("host", text("a"), false), map[string][]string{"host": {"a"}}, 0},
		{"an empty value", entryOf("x", text(""), false), map[string][]string{"x": {""}}, 0},
		{"a list", entryOf("x", list("a", "b"), false), map[string][]string{"x": {"a", "b"}}, 0},
		{"the value before the key", entryOf("host", text("a"), true), map[string][]string{"host": {"a"}}, 0},
		{"names become lower case", entryOf("X-A", text("a"), false), map[string][]string{"x-a": {"a"}}, 0},
		{"names that differ in case are one", slices.Concat(entryOf("X-A", text("a"), false), entryOf("x-a", list("b", "c"), false)),
			map[string][]string{"x-a": {"a", "b", "c"}}, 0},
		{"one that is not UTF-8 stays what the client sent", slices.Concat(entryOf("x", text("\xff"), false), entryOf("y", text("b"), false)),
			map[string][]string{"x": {"\xff"}, "y": {"b"}}, 0},
		{"of a list, too", entryOf("x", list("a", "\xc3(", "b"), false), map[string][]string{"x": {"a", "\xc3(", "b"}}, 0},
		{"of a list, only the value that breaks a line", entryOf("x", list("a", "c\n", "b"), false), map[string][]string{"x": {"a", "b"}}, 1},
		{"a name that is not UTF-8", slices.Concat(entryOf("\xff", text("a"), false), entryOf("y", text("é"), false)),
			map[string][]string{"y": {"é"}}, 1},
		{"line breaks and NUL", slices.Concat(entryOf("a", text("x\r\ny"), false), entryOf("b", text("é\x00"), false), entryOf("c", text("z"), false)),
			map[string][]string{"c": {"z"}}, 2},
		{"without a name", entryOf("", text("a"), false), map[string][]string{}, 1},
		{"values of other kinds", entryOf("x", protowire.AppendFixed64(protowire.AppendTag(nil, 2, protowire.Fixed64Type), 1), false), map[string][]string{}, 0},
		{"unknown fields", slices.Concat(unknown, entryOf("x", slices.Concat(unknown, text("a")), false), unknown), map[string][]string{"x": {"a"}}, 0},
		{"a list in a list is not followed", entryOf("x", appendField(nil, valueList, appendField(nil, 1, list("a"))), false), map[string][]string{}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			var a answer
			if err := readHeaders(&a, test.frame); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, a.headers); diff != "" {
				t.Error(diff)
			}
			if a.givenUp != test.givenUp {
				t.Errorf("%d were given up, want %d", a.givenUp, test.givenUp)
			}
		})
	}
}

func TestTheHeadersOfTwoNamesDoNotShareRoom(t *testing.T) {
	var a answer
	if err := readHeaders(&a, slices.Concat(entryOf("a", text("1"), false), entryOf("b", text("2"), false))); err != nil {
		t.Fatal(err)
	}
	_ = append(a.headers["a"], "overwritten")
	if got := a.headers["b"][0]; got != "2" {
		t.Errorf("appending to one header changed another to %q", got)
	}
}

func TestHeadersThatAreNoMessageAreAnError(t *testing.T) {
	whole := entryOf("host", list("a", "b"), false)
	for n := 1; n < len(whole); n++ {
		if err := readHeaders(&answer{}, whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes were taken", n, len(whole))
		}
	}
}

// FuzzHeaders holds the reader against the generated code, which must agree
// wherever that one understands the message.
func FuzzHeaders(f *testing.F) {
	f.Add(entryOf("host", list("a", "b"), false))
	f.Add(slices.Concat(entryOf("A", text("\xff"), true), entryOf("a", text("x"), false)))
	f.Fuzz(func(t *testing.T, frame []byte) {
		var a answer
		err := readHeaders(&a, frame)
		for name, values := range a.headers {
			if !utf8.ValidString(name) {
				t.Errorf("the name %q came through", name)
			}
			for _, s := range append([]string{name}, values...) {
				if strings.ContainsAny(s, "\r\n\x00") {
					t.Errorf("%q came through", s)
				}
			}
		}
		var s structpb.Struct
		if err != nil || proto.Unmarshal(frame, &s) != nil {
			return // groups are the one thing that only the generated code passes over
		}
		for name, value := range s.Fields {
			if v, ok := value.GetKind().(*structpb.Value_StringValue); ok && name != "" && !breaksLines(name) && !breaksLines(v.StringValue) {
				if !slices.Contains(a.headers[strings.ToLower(name)], v.StringValue) {
					t.Errorf("%q: %q is missing in %v", name, v.StringValue, a.headers)
				}
			}
		}
	})
}

func TestAnExitIsWhatTheGeneratedCodeReads(t *testing.T) {
	headers := map[string][]string{"Content-Type": {"text/plain"}, "X-Multi": {"a", "", strings.Repeat("long", 100)}, "X-None": {}}
	out := appendExit(nil, 503, headers, []byte("body"))
	in := framesOf(strings.NewReader(string(out)), 1<<20)
	if method, err := in.next(); err != nil || string(method) != "kong.response.exit" {
		t.Fatalf("%q, %v", method, err)
	}
	argument, err := in.next()
	if err != nil {
		t.Fatal(err)
	}
	var exit wire.ExitArgs
	if err := proto.Unmarshal(argument, &exit); err != nil {
		t.Fatal(err)
	}
	if exit.Status != 503 || string(exit.Body) != "body" {
		t.Errorf("read %v", &exit)
	}
	got := make(map[string][]string)
	for name, value := range exit.Headers.Fields {
		got[name] = []string{}
		for _, v := range value.GetListValue().Values {
			got[name] = append(got[name], v.GetStringValue())
		}
	}
	if diff := cmp.Diff(headers, got); diff != "" {
		t.Error(diff)
	}
	if !slices.Equal(slices.Sorted(maps.Keys(got)), []string{"Content-Type", "X-Multi", "X-None"}) {
		t.Errorf("%v", got)
	}
}

func BenchmarkReadHeaders(b *testing.B) {
	var frame []byte
	for _, h := range []string{"host", "user-agent", "accept", "content-type", "content-length", "ce-specversion", "ce-type", "ce-source", "ce-id", "x-request-id"} {
		frame = append(frame, entryOf(h, text("a value of "+h), false)...)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := readHeaders(&answer{}, frame); err != nil {
			b.Fatal(err)
		}
	}
}
