package cloudevents

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/binding/format"
	"github.com/cloudevents/sdk-go/v2/binding/spec"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

// A sdkRecord is a Kafka record as the SDK's Kafka bindings read and write it:
// its own attribute tables under the prefix "ce_", content-type beside them.
type sdkRecord struct {
	headers map[string]string
	value   []byte
}

var kafkaSpecs = spec.WithPrefix("ce_")

func (r *sdkRecord) ReadEncoding() binding.Encoding {
	switch {
	case format.Lookup(r.headers["content-type"]) != nil:
		return binding.EncodingStructured
	case kafkaSpecs.Version(r.headers["ce_specversion"]) != nil:
		return binding.EncodingBinary
	}
	return binding.EncodingUnknown
}

func (r *sdkRecord) ReadStructured(ctx context.Context, w binding.StructuredWriter) error {
	f := format.Lookup(r.headers["content-type"])
	if f == nil {
		return binding.ErrNotStructured
	}
	return w.SetStructuredEvent(ctx, f, bytes.NewReader(r.value))
}

func (r *sdkRecord) ReadBinary(_ context.Context, w binding.BinaryWriter) error {
	version := kafkaSpecs.Version(r.headers["ce_specversion"])
	if version == nil {
		return binding.ErrNotBinary
	}
	for key, value := range r.headers {
		var err error
		switch attribute := version.Attribute(key); {
		case key == "content-type":
			err = w.SetAttribute(version.AttributeFromKind(spec.DataContentType), value)
		case attribute != nil:
			err = w.SetAttribute(attribute, value)
		case strings.HasPrefix(key, "ce_"):
			err = w.SetExtension(strings.TrimPrefix(key, "ce_"), value)
		}
		if err != nil {
			return err
		}
	}
	if r.value == nil {
		return nil
	}
	return w.SetData(bytes.NewReader(r.value))
}

func (r *sdkRecord) GetAttribute(kind spec.Kind) (spec.Attribute, any) {
	attribute := kafkaSpecs.Version("1.0").AttributeFromKind(kind)
	return attribute, r.headers[attribute.PrefixedName()]
}

func (r *sdkRecord) GetExtension(name string) any { return r.headers["ce_"+name] }

func (r *sdkRecord) Finish(error) error          { return nil }
func (r *sdkRecord) Start(context.Context) error { r.headers = map[string]string{}; return nil }
func (r *sdkRecord) End(context.Context) error   { return nil }

func (r *sdkRecord) SetStructuredEvent(_ context.Context, f format.Format, text io.Reader) (err error) {
	r.headers = map[string]string{"content-type": f.MediaType()}
	r.value, err = io.ReadAll(text)
	return err
}

func (r *sdkRecord) SetAttribute(attribute spec.Attribute, value any) error {
	if attribute.Kind() == spec.DataContentType {
		return r.set("content-type", value)
	}
	return r.set("ce_"+attribute.Name(), value)
}

func (r *sdkRecord) SetExtension(name string, value any) error { return r.set("ce_"+name, value) }

func (r *sdkRecord) set(key string, value any) error {
	text, err := types.Format(value)
	r.headers[key] = text
	return err
}

func (r *sdkRecord) SetData(data io.Reader) (err error) {
	r.value, err = io.ReadAll(data)
	return err
}

func TestRecordsOfTheSDK(t *testing.T) {
	for name, e := range commonEvents() {
		for kind, choose := range map[keg.Format]func(context.Context) context.Context{keg.FormatBinary: binding.WithForceBinary, keg.FormatStructured: binding.WithForceStructured} {
			headers, value, err := ToKafka(e, kind)
			if err != nil {
				t.Fatal(err)
			}
			ours := &sdkRecord{headers: map[string]string{}, value: value}
			for _, h := range headers {
				ours.headers[h.Key] = string(h.Value)
			}
			read, err := binding.ToEvent(t.Context(), ours)
			if err != nil {
				t.Errorf("%s, %s: the SDK cannot read it: %v", name, kind, err)
				continue
			}
			if diff := cmp.Diff(e, fromSDK(t, read), sameEvent); diff != "" {
				t.Errorf("%s, %s (-sent +read by the SDK):\n%s", name, kind, diff)
			}

			s, theirs := toSDK(t, e), &sdkRecord{}
			if _, err := binding.Write(choose(t.Context()), binding.ToMessage(&s), theirs, theirs); err != nil {
				t.Fatal(err)
			}
			r := &Record{Value: theirs.value}
			for key, value := range theirs.headers {
				r.Headers = append(r.Headers, Header{key, []byte(value)})
			}
			got, err := FromKafka(r)
			if err != nil {
				t.Errorf("%s, %s: %v", name, kind, err)
				continue
			}
			if diff := cmp.Diff(e, bare(got), sameEvent); diff != "" {
				t.Errorf("%s, %s (-sent by the SDK +read):\n%s", name, kind, diff)
			}
		}
	}
}
