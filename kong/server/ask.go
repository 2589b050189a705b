package server

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Text is where a string will be: "" where Kong has none. It is what the
// client sent, and need not be UTF-8.
type Text struct{ a *answer }

// Value returns the string.
func (t Text) Value() string { return t.a.text }

// Number is where a number will be.
type Number struct{ a *answer }

// Value returns the number, 0 where Kong has none.
func (n Number) Value() float64 { return n.a.number }

// Int returns the number as an integer.
func (n Number) Int() int { return int(n.a.number) }

// Headers is where header fields, or query arguments, will be.
type Headers struct{ a *answer }

// Value returns the values by lower-case name, in Kong's order. They are what
// the client sent, and need not be UTF-8; names are.
func (h Headers) Value() map[string][]string { return h.a.headers }

// GivenUp returns how many values were left out because they hold line breaks
// or NUL, or have a name that is not UTF-8.
func (h Headers) GivenUp() int { return int(h.a.givenUp) }

// MostHeaders is the most that Kong returns; what is beyond is dropped
// without a word.
const MostHeaders = 1000

// Var asks for a variable of nginx, such as "request" (method, URI and version
// in one) or "kong_request_id".
func (b *Batch) Var(name string) Text { return b.textOf("kong.nginx.get_var", name) }

// Headers asks for the request's headers, at most max of them, no more than
// [MostHeaders].
func (b *Batch) Headers(max int) Headers { return b.fields("kong.request.get_headers", max) }

// Header asks for the first value of one of the request's headers.
func (b *Batch) Header(name string) Text { return b.textOf("kong.request.get_header", name) }

// Query asks for the query's arguments. One without a value is lost in Kong.
func (b *Batch) Query(max int) Headers { return b.fields("kong.request.get_query", max) }

// QueryArg asks for the first value of one of the query's arguments.
func (b *Batch) QueryArg(name string) Text { return b.textOf("kong.request.get_query_arg", name) }

// Method asks for the request's method.
func (b *Batch) Method() Text { return b.text("kong.request.get_method") }

// Scheme asks for the scheme of the request as Kong got it.
func (b *Batch) Scheme() Text { return b.text("kong.request.get_scheme") }

// Host asks for the host that the request names.
func (b *Batch) Host() Text { return b.text("kong.request.get_host") }

// ForwardedScheme asks for the scheme that the client used, by what trusted
// proxies say.
func (b *Batch) ForwardedScheme() Text { return b.text("kong.request.get_forwarded_scheme") }

// ForwardedHost asks for the host that the client named, by what trusted
// proxies say.
func (b *Batch) ForwardedHost() Text { return b.text("kong.request.get_forwarded_host") }

// Path asks for the request's path, without its query.
func (b *Batch) Path() Text { return b.text("kong.request.get_path") }

// PathWithQuery asks for the request's path and query.
func (b *Batch) PathWithQuery() Text { return b.text("kong.request.get_path_with_query") }

// RawQuery asks for the request's query as it came.
func (b *Batch) RawQuery() Text { return b.text("kong.request.get_raw_query") }

// ClientIP asks for the address of who connected to Kong.
func (b *Batch) ClientIP() Text { return b.text("kong.client.get_ip") }

// ForwardedIP asks for the client's address, by what trusted proxies say.
func (b *Batch) ForwardedIP() Text { return b.text("kong.client.get_forwarded_ip") }

// LogSerialize asks for the log entry of the request, a JSON object.
func (b *Batch) LogSerialize() Text { return b.text("kong.log.serialize") }

// Status asks for the status of the answer to the client.
func (b *Batch) Status() Number { return b.number("kong.response.get_status") }

// ResponseHeaders asks for the headers of the answer to the client.
func (b *Batch) ResponseHeaders(max int) Headers { return b.fields("kong.response.get_headers", max) }

// ResponseSource asks who answers: "service", "exit" or "error".
func (b *Batch) ResponseSource() Text { return b.text("kong.response.get_source") }

// ServiceStatus asks for the status of the upstream's answer.
func (b *Batch) ServiceStatus() Number { return b.number("kong.service.response.get_status") }

// ServiceHeaders asks for the headers of the upstream's answer. Kong 3.9 gives
// none of them in phase response.
func (b *Batch) ServiceHeaders(max int) Headers {
	return b.fields("kong.service.response.get_headers", max)
}

func (b *Batch) text(method string) Text { return Text{b.add(method, readText, nil)} }

func (b *Batch) textOf(method, argument string) Text {
	var buf [64]byte
	return Text{b.add(method, readText, appendText(buf[:0], argument))}
}

func (b *Batch) number(method string) Number { return Number{b.add(method, readNumber, nil)} }

func (b *Batch) fields(method string, max int) Headers {
	max = min(max, MostHeaders)
	if max < 1 {
		b.refuse(fmt.Errorf("%s: Kong takes %d for 100; ask for 1 to %d", method, max, MostHeaders))
	}
	var buf [8]byte
	argument := protowire.AppendTag(buf[:0], 1, protowire.VarintType)
	argument = protowire.AppendVarint(argument, uint64(max))
	return Headers{b.add(method, readHeaders, argument)}
}

// appendText encodes a String or a ByteString.
func appendText[T string | []byte](b []byte, value T) []byte {
	if len(value) == 0 {
		return b
	}
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(len(value)))
	return append(b, value...)
}

// readText reads a String, whatever its bytes.
func readText(a *answer, frame []byte) error {
	return eachField(frame, func(f field) error {
		if f.number == 1 && f.wire == protowire.BytesType {
			a.text = string(f.bytes)
		}
		return nil
	})
}

// readNumber reads an Int or a Number.
func readNumber(a *answer, frame []byte) error {
	return eachField(frame, func(f field) error {
		switch {
		case f.number == 1 && f.wire == protowire.VarintType:
			a.number = float64(int32(f.varint))
		case f.number == 1 && f.wire == protowire.Fixed64Type:
			bits, _ := protowire.ConsumeFixed64(f.bytes)
			a.number = math.Float64frombits(bits)
		}
		return nil
	})
}
