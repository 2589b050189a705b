package cloudevents

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/kong/keg"
)

// ToHTTP writes e as the headers and the body of an HTTP request. What is left
// of the event's own headers goes along, but for those that describe a message
// or belong to one hop. The body may be the event's data itself: it must not be
// written to.
func ToHTTP(e *keg.Event, format keg.Format) (http.Header, []byte, error) {
	h := make(http.Header, 8+len(e.Extensions)+len(e.Headers))
	for name, values := range e.Headers {
		if keg.OneHop(name) || keg.OneMessage(name) || !isToken(name) {
			continue
		}
		for _, value := range values {
			if isOurs(name) {
				value = oneLine(value)
			}
			if isFieldText(value) {
				h.Add(name, value)
			}
		}
	}
	switch writtenAs(e, format) {
	case keg.FormatBinary:
		each(e, func(name, value string) { h.Set("Ce-"+name, encodeValue(value)) })
	case keg.FormatStructured:
		h.Set("Content-Type", mediaTypeJSON+"; charset=utf-8")
		return h, AppendJSON(nil, e), nil
	case keg.FormatRaw:
	default:
		return nil, nil, unknownFormat(format)
	}
	if label := contentType(e); label != "" {
		h.Set("Content-Type", label)
	}
	return h, e.Data, nil
}

// writtenAs is the format that e is really written in. An event whose data
// calls itself a CloudEvent would be read as that inner event in binary mode, so
// it goes structured.
func writtenAs(e *keg.Event, format keg.Format) keg.Format {
	if format == keg.FormatBinary && len(e.DataContentType) >= len(mediaPrefix) &&
		strings.EqualFold(e.DataContentType[:len(mediaPrefix)], mediaPrefix) {
		return keg.FormatStructured
	}
	return format
}

// each calls set for every attribute that binary mode writes beside the data,
// in the order of writing.
func each(e *keg.Event, set func(name, value string)) {
	set("specversion", keg.SpecVersion)
	set("id", e.ID)
	set("source", e.Source)
	set("type", e.Type)
	for _, name := range [...]string{"subject", "time", "dataschema"} {
		if value, ok := e.Attribute(name); ok {
			set(name, value)
		}
	}
	for _, name := range extensionNames(e) {
		set(name, e.Extensions[name])
	}
}

// contentType is what binary mode and raw data are labelled with. Data without
// a content type is JSON where it can be (JSON event format, section 3.1), and
// receivers that know nothing of that rule need to be told.
func contentType(e *keg.Event) string {
	if e.DataContentType == "" && len(e.Data) > 0 && isJSON(e.Data) {
		return "application/json"
	}
	return e.DataContentType
}

func unknownFormat(format keg.Format) error {
	return keg.Permanent(fmt.Errorf("cloudevents: unknown format %q", format))
}
